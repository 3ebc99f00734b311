"""The agreement of two trajectories, against figures worked out by hand."""

import json

import numpy as np
import pytest

from benchmarks.__main__ import COMMANDS
from benchmarks.evaluation.drift import drift, drift_of_folders, read_boxes, until_lost
from siamtrt import ArtifactError, UsageError, cli

_NAN = float("nan")


def test_equal_runs_agree_in_full() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 5, 10, 20], [6, 6, 12, 20]], float)
    found = drift(boxes, boxes)
    assert (found.mean_overlap, found.lowest_overlap, found.precision_20_px) == (1, 1, 1)
    assert found.success_auc == pytest.approx(20 / 21)  # nothing lies above the threshold 1
    assert (found.frames, found.left_out) == (2, 0)


def test_figures_by_hand() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [5, 0, 10, 10], [90, 0, 10, 10]], float)
    reference = np.array([[50, 50, 1, 1], [0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]], float)
    found = drift(boxes, reference)  # overlaps 1, 50/150, 0; centres 0, 5, 90 px apart; the first frame is given
    assert found.mean_overlap == pytest.approx(4 / 9)
    assert found.lowest_overlap == 0
    assert found.precision_20_px == pytest.approx(2 / 3)
    assert found.success_auc == pytest.approx((20 + 7) / 63)  # 1/3 lies above 0, 0.05, ... 0.30


def test_centres_exactly_20_px_apart_are_near() -> None:
    boxes = np.array([[0, 0, 10, 10], [20, 0, 10, 10]], float)
    assert drift(boxes, np.array([[0, 0, 10, 10], [0, 0, 10, 10]], float)).precision_20_px == 1


@pytest.mark.parametrize("hole", [(_NAN, _NAN, _NAN, _NAN), (0, 0, 0, 0)])
def test_frames_without_truth_are_left_out_and_counted(hole: tuple) -> None:
    boxes = np.array([[0, 0, 10, 10]] * 3, float)
    found = drift(boxes, np.array([[0, 0, 10, 10], hole, [0, 0, 10, 10]], float))
    assert (found.mean_overlap, found.frames, found.left_out) == (1, 1, 1)


def test_frames_behind_the_loss_do_not_count(tmp_path) -> None:
    truth = np.array([[0, 0, 10, 10], [_NAN] * 4, [0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]], float)
    reference = np.array([[0, 0, 10, 10], [50, 0, 9, 9], [5, 0, 10, 10], [10, 0, 10, 10], [0, 0, 10, 10]], float)
    assert until_lost(reference, truth) == 3  # where the truth is not known nothing is lost; touching is no overlap
    assert until_lost(truth[[0, 2]], truth[[0, 2]]) == 2
    with pytest.raises(ArtifactError, match="the truth has 5 frames, the run has 2"):
        until_lost(reference[:2], truth)
    boxes = reference.copy()
    boxes[3:, 0] = 900
    for folder, rows in (("a", boxes), ("b", reference), ("truth/v", truth)):
        (tmp_path / folder).mkdir(parents=True)
        name = "groundtruth.txt" if folder == "truth/v" else "v.txt"
        (tmp_path / folder / name).write_text("\n".join(",".join(map(str, row)) for row in rows) + "\n")
    assert drift_of_folders(tmp_path / "a", tmp_path / "b")["v"].mean_overlap == 0.5
    found = drift_of_folders(tmp_path / "a", tmp_path / "b", tmp_path / "truth")["v"]
    assert (found.mean_overlap, found.frames) == (1.0, 2)


def test_other_lengths_and_no_common_frame_are_refused() -> None:
    with pytest.raises(ArtifactError, match="3 boxes cannot be compared with 2"):
        drift(np.ones((3, 4)), np.ones((2, 4)))
    with pytest.raises(ArtifactError, match="no frame"):
        drift(np.ones((1, 4)), np.ones((1, 4)))


@pytest.mark.parametrize("line", ["1,2,3", "1,2,3,4,5,6,7", "a,b,c,d", "1,,2,3"])
def test_a_damaged_line_is_named(tmp_path, line: str) -> None:
    path = tmp_path / "boxes.txt"
    path.write_text(f"1,2,3,4\n{line}\n")
    with pytest.raises(ArtifactError, match="line 2"):
        read_boxes(path)


def test_a_result_that_a_kill_left_half_written_is_none(tmp_path) -> None:
    for folder in ("boxes", "reference"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.txt").write_text("1,2,30,40\n" * 3)
    (tmp_path / "reference" / ".two.4711.partial.txt").write_text("1,2")
    assert list(drift_of_folders(tmp_path / "boxes", tmp_path / "reference")) == ["one"]


def test_the_truth_of_a_data_set_is_a_reference_too(tmp_path) -> None:
    path = tmp_path / "groundtruth.txt"
    path.write_text("1\t2\t3\t4\nnan,nan,nan,nan\n5,5,9,6,8,10,4,9\n")
    found = read_boxes(path)
    assert found[0].tolist() == [1, 2, 3, 4]
    assert np.isnan(found[1]).all()
    assert found[2].tolist() == [4, 5, 5, 5]


def test_the_command_writes_the_figures(tmp_path, capsys) -> None:
    path, out = tmp_path / "boxes.txt", tmp_path / "drift.json"
    path.write_text("1,2,3,4\n2,2,3,4\n")
    words = ["drift", "--boxes", str(path), "--reference", str(path), "--out", str(out)]
    assert cli.run_table("benchmarks", "", COMMANDS, words) == 0
    assert json.loads(out.read_text())["mean_overlap"] == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        "mean overlap             1.0000",
        "lowest overlap           1.0000",
    ]
    words[2] = str(tmp_path / "absent.txt")
    assert cli.run_table("benchmarks", "", COMMANDS, words) == 4
    error = capsys.readouterr().err
    assert error.count("absent.txt") == 1
    assert "try: " in error


def test_folders_are_compared_sequence_by_sequence(tmp_path, capsys) -> None:
    lines = {"a": ["0,0,10,10"] * 3, "b": ["0,0,10,10"] * 9}
    for name, boxes in lines.items():
        for folder, moved in (("reference", boxes), ("run", [*boxes[:-1], "5,0,10,10"])):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"{name}.txt").write_text("\n".join(moved) + "\n")
    argv = ["drift", "--boxes", str(tmp_path / "run"), "--reference", str(tmp_path / "reference")]
    argv += ["--out", str(tmp_path / "drift.json")]
    assert cli.run_table("benchmarks", "", COMMANDS, argv) == 0
    options = cli.table("benchmarks", "", COMMANDS, argv).parse_args(argv)
    found = json.loads((tmp_path / "drift.json").read_text())
    first, second = (1 + 1 / 3) / 2, (7 + 1 / 3) / 8  # one frame of the two, of the eight after the given, is 5 px off
    assert found["sequences"]["a"]["mean_overlap"] == pytest.approx(first)
    assert found["sequences"]["b"]["mean_overlap"] == pytest.approx(second)
    assert found["mean_overlap"] == pytest.approx((first + second) / 2)
    assert found["precision_20_px"] == 1
    assert "b                        0.9167, lowest 0.3333" in capsys.readouterr().out
    (tmp_path / "run" / "b.txt").write_text("0,0,10,10\n")
    with pytest.raises(ArtifactError, match="b: 1 boxes cannot be compared with 9"):
        options.main(options)
    (tmp_path / "run" / "b.txt").unlink()
    with pytest.raises(ArtifactError, match="b: no such file of boxes"):
        options.main(options)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"holds no NAME\.txt"):
        drift_of_folders(tmp_path / "run", tmp_path / "empty")
