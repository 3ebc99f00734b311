"""The code path of ``python -m benchmarks chain`` on the doubles; times mean nothing there."""

from __future__ import annotations

import json
import sys

import cv2
import numpy as np
import pytest

from benchmarks.__main__ import COMMANDS
from benchmarks.profiling.overheads.chain import kernel_times, ways
from benchmarks.profiling.overheads.chain.through_host import HostChain
from runtime.locator import HostLocator
from runtime.tracker import Tracker
from siamtrt import MissingDependencyError, ModelCard, ParityError, UsageError, cli
from tests import tiny
from tests.doubles.clip import BOXES, as_rows, clip, follow, on_the_cpu, picture

FEATURE_BYTES, KERNELS_BYTES = 2 * 8 * 29 * 29 * 4, 2 * 8 * 5 * 5 * 4
CROP_BYTES, MAPS_BYTES = 3 * 255 * 255 * 4, 30 * 25 * 25 * 4


@pytest.fixture
def clip_folder(tmp_path):
    folder = tmp_path / "clip"
    (folder / "color").mkdir(parents=True)
    for number, frame in enumerate(clip(picture()), 1):
        cv2.imwrite(str(folder / "color" / f"{number:08d}.png"), frame)
    lines = [f"{box}\n" for box in BOXES[:1] * 6]
    (folder / "groundtruth.txt").write_text("".join(lines))
    return folder


def run(monkeypatch, *arguments, name="chain"):
    monkeypatch.setattr(kernel_times, "_REPEATS", 3)
    monkeypatch.setattr(kernel_times, "_ROUNDS", 2)
    monkeypatch.setattr(ways, "_WARM_UP", 2)
    words = [name, *map(str, arguments)]
    options = cli.table("benchmarks", "", COMMANDS, words).parse_args(words)
    options.main(options)


def test_every_way_is_timed_on_the_same_frames(board, clip_folder, tmp_path, monkeypatch, capsys):
    double = board()
    double.build("fp16")
    out = tmp_path / "chain.json"
    run(monkeypatch, "--engines", double.out, "--clip", clip_folder, "--frames", 7, "--out", out)
    found = json.loads(out.read_text())
    assert set(found["samples_ns"]) == {ways.OURS, ways.THEIRS, ways._PLAIN, ways._MAPS}
    assert {len(column) for column in found["samples_ns"].values()} == {7}
    medians = {way: np.median(column) for way, column in found["samples_ns"].items()}
    assert found["ratio"] == pytest.approx(medians[ways.THEIRS] / medians[ways.OURS])
    assert set(found["kernels"]["kernels_us"]) == {
        "crop to 255 px",
        "crop to 255 px, staged",
        "crop to 255 px from NV12",
        "choice of 3125 cells",
    }
    assert max(found["differ_px"].values()) < 1e-3
    assert found["engines_manifest"]["settings"]["precision"] == "target=fp16,search=fp16,xcorr=fp16"
    assert f"through the host / on the GPU: {found['ratio']:.2f}" in capsys.readouterr().out
    assert double.cudart.memory == {}


@pytest.mark.parametrize("integrated", [True, False])
def test_the_kernels_are_timed_without_tensorrt(board, tmp_path, monkeypatch, capsys, integrated):
    double = board(integrated=integrated)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    tiny.write_tiny_model(tmp_path / "model", lost=True)
    run(monkeypatch, "--model", tmp_path / "model", "--out", tmp_path / "kernels.json", name="kernels")
    found = json.loads((tmp_path / "kernels.json").read_text())
    sizes = ["255 px", f"{tiny.LOST_PX} px"]
    assert list(found["captured_us"]) == list(found["plain_us"]) == sizes
    cells = 5 * tiny.LOST_SCORE_SIZE**2
    assert list(found["kernels_us"])[4:] == [
        f"crop to {sizes[1]}",
        f"crop to {sizes[1]}, staged",
        f"crop to {sizes[1]} from NV12",
        f"choice of {cells} cells",
    ]
    assert min(found["kernels_us"].values()) > 0
    assert (found["compute_capability"], found["mapped"]) == ("7.2", integrated)
    assert "a frame without network, 255 px: CUDA graph" in capsys.readouterr().out
    assert double.cudart.memory == {}


@pytest.mark.parametrize(("kernel_inputs", "sent", "copies"), [(False, 0, 7), (True, KERNELS_BYTES, 9)])
def test_the_yardstick_carries_everything_through_the_host(board, tiny_engines, tmp_path, kernel_inputs, sent, copies):
    tiny.write_tiny_model(tmp_path / "onnx", kernel_inputs=kernel_inputs)
    double = board(onnx=tmp_path / "onnx", integrated=True)
    double.build()
    chain = HostChain(double.out, ModelCard.load(double.out))
    frames = clip(picture())
    expected = follow(on_the_cpu(tiny_engines), frames)
    moved_bytes = CROP_BYTES + 2 * FEATURE_BYTES + MAPS_BYTES + sent
    assert (chain.bytes_a_frame, chain.copies_a_frame) == (moved_bytes, copies)
    found = follow(HostLocator(chain), frames)
    np.testing.assert_allclose(as_rows(found), as_rows(expected), atol=1e-3)


def test_the_yardstick_waits_twice_a_frame(board):
    double = board()
    double.build()
    chain = HostChain(double.out, ModelCard.load(double.out))
    with Tracker(HostLocator(chain)) as tracker:
        tracker.start(picture(), BOXES[0])
        double.cudart.forget_calls()
        tracker.update(picture())
        assert double.cudart.count("cudaStreamSynchronize") == 2
        assert double.cudart.count("cudaMemcpyAsync") == chain.copies_a_frame
        assert double.cudart.copied[1] + double.cudart.copied[2] == chain.bytes_a_frame


def test_a_way_that_answers_otherwise_is_not_timed(board, clip_folder, monkeypatch):
    double = board()
    double.build()
    actual = HostChain.match

    def shifted(self, frame, square, fill):
        return actual(self, np.roll(frame, 40, 1), square, fill)

    monkeypatch.setattr(HostChain, "match", shifted)
    with pytest.raises(ParityError, match="times say nothing"):
        run(monkeypatch, "--engines", double.out, "--clip", clip_folder, "--frames", 4)


def test_without_tensorrt_or_its_engines_it_says_so(board, tiny_engines, clip_folder, monkeypatch):

    board()
    with pytest.raises(UsageError, match="no TensorRT engines"):
        run(monkeypatch, "--engines", tiny_engines, "--clip", clip_folder)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingDependencyError, match="tensorrt"):
        run(monkeypatch, "--engines", tiny_engines, "--clip", clip_folder)
