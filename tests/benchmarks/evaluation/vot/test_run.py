from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.__main__ import COMMANDS
from benchmarks.evaluation.opencv import Opencv, OpencvTracker
from benchmarks.evaluation.plan import Plan
from benchmarks.evaluation.vot import run as run_module
from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.evaluation.vot.run import Run, follow
from sequences.annotated import load_sequences
from sequences.rendered.command import write_clip
from siamtrt import ArtifactError, BoundingBox, UsageError, cli

VOT2018 = Protocol.load("vot2018")


@pytest.fixture(scope="module")
def sequences(tmp_path_factory):
    root = tmp_path_factory.mktemp("sequences")
    for name, seed in (("one", 1), ("two", 2)):
        write_clip(root / name, seed, 16)
    (root / "list.txt").write_text("one\ntwo\n")
    return root


def barely(box):
    """A box of the same size that shares one corner with *box*: an overlap of 2 percent."""
    return BoundingBox(box.x + 0.8 * box.width, box.y - 0.8 * box.height, box.width, box.height)


class Scripted:
    """Knows the truth, and loses the target in chosen frames."""

    def __init__(self, sequence, lost):
        self._sequence, self._lost = sequence, lost
        self.starts, self.index = [], -1

    def start(self, frame, box):
        self.index = self._index_of(frame)
        self.starts.append((self.index, box))

    def update(self, frame):
        self.index = self._index_of(frame)
        kind = self._lost.get(self.index)
        if kind == "gone":
            return None
        if kind == "barely":
            return barely(BoundingBox(*self._sequence.regions[self.index]))
        return BoundingBox(600, 470, 5, 5) if kind == "away" else BoundingBox(*self._sequence.regions[self.index])

    def _index_of(self, frame):
        return next(i for i in range(len(self._sequence)) if np.array_equal(self._sequence.frame(i), frame))


def test_a_failure_is_followed_by_four_skipped_frames_and_a_start(sequences):
    sequence = load_sequences(sequences)[0]
    tracker = Scripted(sequence, {3: "away", 12: "gone"})
    outcome = follow(tracker, sequence, VOT2018)
    entries, times_ns = outcome.entries, outcome.times_ns
    codes = [entry if isinstance(entry, int) else "box" for entry in entries]
    assert codes == [1, "box", "box", 2, 0, 0, 0, 0, 1, "box", "box", "box", 2, 0, 0, 0]
    assert [index for index, _ in tracker.starts] == [0, 8]
    assert [time is None for time in times_ns] == [code == 0 for code in codes]
    assert tracker.starts[1][1] == BoundingBox(*sequence.regions[8])
    assert outcome.lost == {3: BoundingBox(600, 470, 5, 5), 12: None}


def test_the_least_overlap_is_no_failure(sequences):
    sequence = load_sequences(sequences)[0]
    truth = BoundingBox(*sequence.regions[3])
    assert 0 < truth.iou(barely(truth)) < 0.1
    outcome = follow(Scripted(sequence, {3: "barely"}), sequence, VOT2018)
    assert outcome.entries[3] == barely(truth)
    assert not outcome.lost


def run(*argv):
    return cli.run_table("benchmarks", "", COMMANDS, ["--quiet", "vot", *map(str, argv)])


def test_results_are_written_in_the_form_of_vot_and_resumed(sequences, tiny_engines, tmp_path, capsys, monkeypatch):
    argv = ["--engines", tiny_engines, "--sequences", sequences, "--out", tmp_path, "--tracker", "T", "--threads", 1]
    assert run(*argv) == 0
    path = tmp_path / "results" / "T" / "baseline" / "one" / "one_001.txt"
    assert len(path.read_text().split()) == 16
    assert path.read_text().split()[0] == "1"
    times = json.loads((tmp_path / "times" / "T" / "one.json").read_text())
    assert times["unit"] == "ns"
    assert len(times["frames"]) == 16
    assert times["leaked"] is False

    seen = []
    monkeypatch.setattr(run_module, "follow", lambda *arguments: seen.append(arguments) or Run([1], [1], {}))
    path.unlink()
    assert run(*argv) == 0
    assert [sequence.name for _, sequence, _ in seen] == ["one"]


def test_an_interrupted_sequence_leaves_no_result(sequences, tiny_engines, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "follow", interrupted)
    assert run("--engines", tiny_engines, "--sequences", sequences, "--out", tmp_path) == 130
    assert not list(tmp_path.rglob("*.txt"))


def test_a_result_is_written_after_its_notes(sequences, tiny_engines, tmp_path, monkeypatch):
    """A result without notes would be taken for that of other engines by the next run."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Plan, "keep", interrupted)
    assert run("--engines", tiny_engines, "--sequences", sequences, "--out", tmp_path) == 130
    assert not list(tmp_path.rglob("*.txt"))


def test_one_tracker_has_to_be_named(sequences, tmp_path, capsys):
    assert run("--sequences", sequences, "--out", tmp_path) == 2
    assert "name one tracker" in capsys.readouterr().err


def test_opencvs_trackers_follow_too(sequences):
    sequence = load_sequences(sequences, ("one",))[0]
    still = replace(sequence, images=sequence.images[:1] * 4, regions=sequence.regions[:1] * 4)
    entries = follow(OpencvTracker(Opencv("MIL")), still, VOT2018).entries
    assert entries[0] == 1
    assert all(entry.iou(BoundingBox(*sequence.regions[0])) > 0.5 for entry in entries[1:])
    with pytest.raises(UsageError, match="unknown tracker 'BOOSTING'"):
        Opencv("BOOSTING")


def test_results_remember_the_files_of_opencvs_network(tmp_path):
    files = [tmp_path / name for name in ("backbone.onnx", "head.onnx")]
    for path in files:
        path.write_bytes(b"one")
    first = Opencv("Nano", *files).identity
    files[1].write_bytes(b"two")
    second = Opencv("Nano", *files).identity
    assert first["backbone"] == second["backbone"]
    assert first["head"] != second["head"]
    assert Opencv("MIL").identity == "MIL"
    with pytest.raises(UsageError, match="TrackerNano needs both of its files"):
        Opencv("Nano", files[0])
    with pytest.raises(UsageError, match="TrackerMIL takes no files"):
        Opencv("MIL", *files)


def test_bad_sequences_are_refused_by_name(sequences, tmp_path):
    import shutil

    shutil.copytree(sequences, tmp_path / "copy")
    (tmp_path / "copy" / "one" / "color" / "00000003.jpg").unlink()
    with pytest.raises(ArtifactError, match="has 15 images for 16 lines of truth"):
        load_sequences(tmp_path / "copy", ("one",))
    truth = tmp_path / "copy" / "two" / "groundtruth.txt"
    truth.write_text(truth.read_text().replace(truth.read_text().split()[4], "1,2,nan,4"))
    with pytest.raises(ArtifactError, match=r"00000005\.jpg has no truth"):
        load_sequences(tmp_path / "copy", ("two",))
    with pytest.raises(UsageError, match="has no sequence three"):
        load_sequences(sequences, ("three",))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no sequence"):
        load_sequences(tmp_path / "empty")
