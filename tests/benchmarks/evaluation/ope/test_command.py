from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.__main__ import COMMANDS
from benchmarks.evaluation.ope import run as run_module
from benchmarks.evaluation.ope.evaluate import evaluate
from benchmarks.evaluation.ope.results import as_boxes, read, result_path, write
from benchmarks.evaluation.ope.run import follow
from runtime.tracker import Tracker
from sequences.annotated import load_sequence, load_sequences
from sequences.rendered.command import write_clip
from siamtrt import ArtifactError, BoundingBox, UsageError, cli


@pytest.fixture(scope="module")
def sequences(tmp_path_factory):
    root = tmp_path_factory.mktemp("sequences")
    for name, seed in (("one", 1), ("two", 2)):
        write_clip(root / name, seed, 8)
    return root


def run(*argv):
    return cli.run_table("benchmarks", "", COMMANDS, ["--quiet", "ope", *map(str, argv)])


class Blind:
    """Says that the target is gone."""

    def start(self, frame, box):
        self.started = box

    def update(self, frame):
        return None


def test_a_run_starts_in_the_continuous_centre_and_is_never_started_again(sequences):
    sequence = load_sequence(sequences / "one")
    tracker = Blind()
    boxes, times_ns = follow(tracker, sequence)
    x, y, width, height = sequence.regions[0]
    assert tracker.started == boxes[0] == BoundingBox(x + 0.5, y + 0.5, width, height)
    assert boxes[1:] == [None] * 7
    assert len(times_ns) == 8


def test_the_command_runs_resumes_and_compares(sequences, tiny_engines, tmp_path, capsys, monkeypatch):
    argv = ["--engines", tiny_engines, "--sequences", sequences, "--out", tmp_path, "--tracker", "T", "--threads", 1]
    assert run(*argv) == 0
    lines = (tmp_path / "results" / "T" / "two.txt").read_text().splitlines()
    sequence = load_sequences(sequences, ("two",))[0]
    start = sequence.start_box(0)
    with Tracker.open(tiny_engines, threads=1) as tracker:
        wanted = [
            tracker.start(sequence.frame(0), BoundingBox(start.x + 0.5, start.y + 0.5, start.width, start.height))
        ]
        wanted += [tracker.update(sequence.frame(index)) for index in range(1, 8)]
    assert lines == [str(state.box) for state in wanted]
    assert len(json.loads((tmp_path / "times" / "T" / "two.json").read_text())["frames"]) == 8

    for name in ("one", "two"):  # another tracker, that knows the truth; its numbers are parted by tabs
        truth = (sequences / name / "groundtruth.txt").read_text().replace(",", "\t")
        (tmp_path / "results" / "Truth").mkdir(exist_ok=True)
        (tmp_path / "results" / "Truth" / f"{name}.txt").write_text(truth)
    (tmp_path / "results" / "T" / "one.txt").unlink()
    seen = []
    inner = run_module.follow
    monkeypatch.setattr(run_module, "follow", lambda *arguments: seen.append(arguments[1].name) or inner(*arguments))
    capsys.readouterr()
    assert run(*argv) == 0
    assert seen == ["one"]
    found = json.loads((tmp_path / "ope.json").read_text())["trackers"]
    assert found["Truth"]["success_auc"] == pytest.approx(20 / 21)
    assert found["Truth"]["precision_20_px"] == 1
    assert found["T"]["success_auc"] < found["Truth"]["success_auc"]
    assert (len(found["T"]["success"]), len(found["T"]["precision"])) == (21, 51)
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == ["tracker", "Truth", "T"]
    assert rows[1].split()[1:] == ["0.952", "1.000"]


def test_two_jobs_give_the_same_results(sequences, tiny_engines, tmp_path):
    for jobs in (1, 2):
        argv = ["--engines", tiny_engines, "--sequences", sequences, "--out", tmp_path / str(jobs), "--tracker", "T"]
        assert run(*argv, "--threads", 1, "--jobs", jobs) == 0
    for name in ("results/T/one.txt", "results/T/two.txt", "ope.json"):
        assert (tmp_path / "1" / name).read_text() == (tmp_path / "2" / name).read_text()


def test_an_interrupted_sequence_leaves_no_result(sequences, tiny_engines, tmp_path, monkeypatch):
    inner = run_module.follow

    def interrupted(tracker, sequence):
        if sequence.name == "two":
            raise KeyboardInterrupt
        return inner(tracker, sequence)

    monkeypatch.setattr(run_module, "follow", interrupted)
    assert run("--engines", tiny_engines, "--sequences", sequences, "--out", tmp_path, "--threads", 1) == 130
    assert [path.name for path in tmp_path.rglob("*.txt")] == ["one.txt"]


def test_results_of_other_engines_are_not_taken_for_these(sequences, tiny_engines, tmp_path, capsys):
    argv = ["--engines", tiny_engines, "--sequences", sequences, "--out", tmp_path, "--tracker", "T", "--threads", 1]
    assert run(*argv) == 0
    beside = tmp_path / "times" / "T" / "one.json"
    document = json.loads(beside.read_text())
    document["made_by"]["engines"]["search.onnx"] = "0" * 64
    beside.write_text(json.dumps(document))
    assert run(*argv) == 2
    assert "one.txt was made by other engines" in capsys.readouterr().err


def test_frames_without_truth_are_told_in_the_table(sequences, tmp_path, capsys):
    import shutil

    shutil.copytree(sequences, tmp_path / "gaps")
    truth = tmp_path / "gaps" / "one" / "groundtruth.txt"
    lines = truth.read_text().split()
    truth.write_text("\n".join([*lines[:6], "NaN,NaN,NaN,NaN", "NaN,NaN,NaN,NaN"]) + "\n")
    for name in ("one", "two"):
        write(
            result_path(tmp_path / "results", "T", name), [BoundingBox(*map(float, line.split(","))) for line in lines]
        )
    assert run("--sequences", tmp_path / "gaps", "--only", "one", "--out", tmp_path) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[1].split() == ["T", "0.714", "1.000"]
    assert rows[2].split() == ["without", "2", "unannotated", "frames", "0.952", "1.000"]


def test_bad_input_is_refused_by_name(sequences, tmp_path):
    everything = load_sequences(sequences)
    with pytest.raises(UsageError, match="holds no tracker"):
        evaluate(tmp_path, everything)
    write(result_path(tmp_path, "T", "one"), [None] * 8)
    with pytest.raises(ArtifactError, match=r"T has no result for two: .*two\.txt is missing"):
        evaluate(tmp_path, everything)
    write(result_path(tmp_path, "T", "two"), [None] * 7)
    with pytest.raises(ArtifactError, match="T has 7 lines for two, which has 8 frames"):
        evaluate(tmp_path, everything)
    result_path(tmp_path, "T", "two").write_text("1\n" * 8)
    with pytest.raises(ArtifactError, match="line 1: a region is 4 or 8 numbers, not '1'"):
        evaluate(tmp_path, everything)
    assert run("--engines", "x", "--opencv", "MIL", "--sequences", sequences, "--out", tmp_path) == 2


def test_a_sequence_without_any_truth_is_refused(sequences, tmp_path):
    import shutil

    shutil.copytree(sequences / "one", tmp_path / "one")
    (tmp_path / "one" / "groundtruth.txt").write_text("nan,nan,nan,nan\n" * 8)
    (sequence,) = load_sequences(tmp_path, gaps=True)
    with pytest.raises(ArtifactError, match="no frame of one has a truth"):
        evaluate(tmp_path, [sequence])
    with pytest.raises(UsageError, match="the first frame of one has no truth"):
        follow(Blind(), sequence)


def test_corners_become_the_rectangle_around_them():
    assert as_boxes(((1, 2, 3, 4), (5, 5, 9, 6, 8, 10, 4, 9))).tolist() == [[1, 2, 3, 4], [4, 5, 5, 5]]


def test_results_are_read_back(sequences, tmp_path):
    sequence = load_sequence(sequences / "one")
    write(result_path(tmp_path, "T", "one"), [None, *[BoundingBox(1, 2, 3, 4)] * 7])
    boxes = read(tmp_path, "T", sequence)
    assert np.isnan(boxes[0]).all()
    assert boxes[1].tolist() == [1, 2, 3, 4]
