"""The yardstick does the same work as the tracker, or its ratio would mean nothing."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import subprocess
import tracemalloc

import cv2
import numpy as np
import pytest

from benchmarks.__main__ import COMMANDS
from benchmarks.commands.overhead import torch_ms
from benchmarks.evaluation.opencv import Opencv
from benchmarks.profiling.overheads import update as overhead
from benchmarks.profiling.overheads.pysots_way import PysotsWay
from benchmarks.trials import child
from runtime.crop import crop
from runtime.decode import Decoder
from runtime.frames import fill_color
from siamtrt import ArtifactError, BoundingBox, MissingDependencyError, UsageError, cli
from siamtrt.geometry import Place, search_square
from tests.runtime.stub import card, tracker_of

BAN = {"family": "ban", "stride": 16, "score_size": 15, "anchor_ratios": (), "anchor_scales": ()}


@pytest.fixture
def one_thread():
    """The command sets OpenCV's threads for its process; here it is put back."""
    threads = cv2.getNumThreads()
    yield
    cv2.setNumThreads(threads)


@pytest.mark.parametrize("changes", [{}, BAN], ids=["rpn", "ban"])
def test_both_ways_find_the_same_box(changes):
    model, frames = card(**changes), overhead._frames()
    maps = overhead._FixedMaps(model)
    upstream = PysotsWay(model, overhead._BOX, frames[0], maps.cls, maps.loc)
    tracker = tracker_of(maps)
    tracker.start(frames[0], overhead._BOX)
    state = tracker.update(frames[1])
    np.testing.assert_allclose(dataclasses.astuple(state.box), upstream.update(frames[1]), atol=1e-3)


def test_both_ways_cut_the_same_padded_crop():
    model, frames, box = card(), overhead._frames(), overhead._BOX
    maps = overhead._FixedMaps(model)
    square = search_square(Place.given(box), model, model.search)
    side = square.side_px
    ours = crop(frames[0], square, fill_color(frames[0]))
    theirs = PysotsWay(model, box, frames[0], maps.cls, maps.loc)._subwindow(frames[0], side)
    assert box.x - side / 2 < 0
    np.testing.assert_array_equal(theirs[0].transpose(1, 2, 0), ours)


def test_one_place_needs_padding_and_the_other_does_not_or_the_comparison_shows_one_case_twice():
    model, height, width = card(), overhead._HEIGHT_PX, overhead._WIDTH_PX
    border, inside = (search_square(Place.given(box), model, model.search) for box in (overhead._BOX, overhead._INSIDE))
    assert border.side_px == inside.side_px
    reach = inside.side_px / 2 + 1
    assert border.center_x < reach
    assert reach < inside.center_x < width - reach
    assert reach < inside.center_y < height - reach


def test_what_is_compared_takes_turns(monkeypatch):
    monkeypatch.setattr(overhead, "FRAMES", 3)
    monkeypatch.setattr(overhead, "_WARM_UP", 1)
    turns = []
    overhead._medians_ms([lambda _: turns.append("ours"), lambda _: turns.append("theirs")], [np.zeros(1)])
    assert turns == ["ours", "theirs"] * 4


def test_the_yardstick_copies_no_frame_where_nothing_has_to_be_padded():
    model, frames = card(), overhead._frames()
    maps, box = overhead._FixedMaps(model), BoundingBox(600, 300, 120, 90)
    upstream = PysotsWay(model, box, frames[0], maps.cls, maps.loc)
    upstream.update(frames[0])
    tracemalloc.start()
    try:
        upstream.update(frames[1])
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < frames[1].nbytes / 2


def test_a_figure_is_the_median_of_what_follows_the_warm_up(monkeypatch):
    now_ns, durations_ms = [0], iter([*[100.0] * overhead._WARM_UP, 9.0, 1.0, 2.0, 8.0, 3.0])

    def call(frame):
        now_ns[0] += int(next(durations_ms) * 1e6)

    monkeypatch.setattr(overhead.time, "perf_counter_ns", lambda: now_ns[0])
    monkeypatch.setattr(overhead, "FRAMES", 5)
    assert overhead._median_ms(call, [np.zeros(1)]) == 3.0


def test_the_state_is_put_back_before_each_update(monkeypatch):
    seen = []
    best = Decoder.best

    def watched(self, cls, loc, width, height):
        seen.append((width, height))
        return best(self, cls, loc, width, height)

    monkeypatch.setattr(Decoder, "best", watched)
    monkeypatch.setattr(overhead, "FRAMES", 5)
    assert overhead._updates_ms(tracker_of(overhead._FixedMaps(card())), overhead._frames()) > 0
    assert len(set(seen)) == 1


def test_the_figures_are_printed_and_written(one_thread, tiny_engines, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(overhead, "FRAMES", 5)
    out = tmp_path / "figures.json"
    words = ["overhead", "--engines", str(tiny_engines), "--memory-frames", "202", "--out", str(out)]
    assert cli.run_table("benchmarks", "", COMMANDS, words) == 0
    figures = json.loads(out.read_text())
    for place in ("inside", "border"):
        ratio = figures[f"glue_{place}_upstream_way_ms"] / figures[f"glue_{place}_ms"]
        assert figures[f"glue_{place}_ratio"] == pytest.approx(ratio)
        assert figures[f"resize_{place}_ms"] > 0
    for part in ("glue", "update"):
        ratio = figures[f"nv12_{part}_converted_first_ms"] / figures[f"nv12_{part}_ms"]
        assert figures[f"nv12_{part}_ratio"] == pytest.approx(ratio)
    assert figures["engines_manifest"]["stage"] == "engines"
    assert figures["threads"] == 1
    memory = figures["memory_mib"]
    assert {"frame 200", "frame 201", "peak"} <= set(memory)
    assert memory["peak"] == max(memory.values())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[-4:] == ["inside", "at", "the", "border"]
    assert lines[3].split() == [
        "times",
        "ours",
        *(f"{figures[f'glue_{place}_ratio']:.2f}" for place in ("inside", "border")),
    ]
    assert lines[-1].startswith("memory, MiB")
    assert "{" not in "".join(lines)


def test_files_opencv_cannot_use_are_refused(tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph")
    with pytest.raises(UsageError, match="TrackerNano refuses"):
        overhead._opencv_ms(Opencv("Nano", broken, broken), overhead._frames())


def test_what_the_child_says_of_a_checkpoint_is_said_here(tmp_path):
    pytest.importorskip("torch", reason="the child needs torch")
    with pytest.raises(ArtifactError) as caught:
        torch_ms("nanotrack_v3", tmp_path / "nowhere.pth")
    assert "nowhere.pth" in caught.value.problem
    assert "Traceback" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("code", "said", "kind", "words"),
    [
        (2, "W x: noise\nerror: no such model\n  try: this one\n", UsageError, "no such model\n  try: this one"),
        (4, "error: x.pth is damaged\n", ArtifactError, "x.pth is damaged"),
        (1, "Traceback\nKeyError: 'error: '\n", subprocess.CalledProcessError, "exit status 1"),
    ],
)
def test_a_childs_error_keeps_its_kind(code, said, kind, words, capsys):
    error = child._error_of(subprocess.CompletedProcess(["python"], code, "", said))
    assert type(error) is kind
    assert words in str(error)
    assert capsys.readouterr().err == (said if kind is subprocess.CalledProcessError else "")


def test_without_torch_the_way_out_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="PyTorch is not installed here\n  try: leave --checkpoint out"):
        torch_ms("nanotrack_v3", tmp_path / "x.pth")


def test_half_of_opencvs_tracker_is_refused(tiny_engines, tmp_path, capsys):
    words = ["overhead", "--engines", str(tiny_engines), "--opencv-head", str(tmp_path / "head.onnx")]
    assert cli.run_table("benchmarks", "", COMMANDS, words) == 2
    assert "needs both of its files" in capsys.readouterr().err
