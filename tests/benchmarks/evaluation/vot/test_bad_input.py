"""What a user may hand in wrongly ends in one sentence and the exit code of its kind, at the command itself."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from benchmarks.__main__ import COMMANDS
from benchmarks.evaluation.vot.annotations import load
from benchmarks.evaluation.vot.results import read, read_all
from runtime.tracker import Tracker
from siamtrt import ArtifactError, cli

FRAMES = 130


def run(*argv):
    return cli.run_table("benchmarks", "", COMMANDS, ["--quiet", *map(str, argv)])


@pytest.fixture
def sequence(tmp_path):
    """A sequence of three frames."""
    folder = tmp_path / "sequences" / "bag"
    (folder / "color").mkdir(parents=True)
    for number in range(1, 4):
        cv2.imwrite(str(folder / "color" / f"{number:08d}.jpg"), np.full((120, 160, 3), 40 * number, np.uint8))
    (folder / "groundtruth.txt").write_text("40,30,50,40\n" * 3)
    return folder


def remove_a_frame(folder):
    (folder / "color" / "00000002.jpg").unlink()


def damage_a_frame(folder):
    (folder / "color" / "00000002.jpg").write_bytes(b"\xff\xd8 no picture")


def resize_a_frame(folder):
    cv2.imwrite(str(folder / "color" / "00000002.jpg"), np.zeros((90, 160, 3), np.uint8))


def truth(line, number=2):
    lines = ["40,30,50,40"] * 3
    lines[number - 1] = line
    return lambda folder: (folder / "groundtruth.txt").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (remove_a_frame, "has 2 images for 3 lines of truth"),
        (damage_a_frame, "00000002.jpg is not a readable image"),
        (truth("40,30,nan,40"), "00000002.jpg has no truth: its region is not a number"),
        (truth("1,2,3,4,5,6,7"), "groundtruth.txt, line 2: a region is 4 or 8 numbers, not '1,2,3,4,5,6,7'"),
        (truth("left"), "groundtruth.txt, line 2: 'left' is not numbers"),
        (truth("400,300,5,5", 1), "bag, frame 1: the box 400.0000,300.0000,5.0000,5.0000 lies outside the frame"),
        (truth("40,30,0,40", 1), "bag, frame 1: the box 40.0000,30.0000,0.0000,40.0000 has no area"),
        (truth("1,1,1,1,1,1,1,1", 1), "00000001.jpg: the polygon"),
        (resize_a_frame, "bag, frame 2: the frame size changed from 160x120 to 160x90"),
    ],
)
def test_a_damaged_sequence_is_refused_and_leaves_nothing(sequence, tiny_engines, tmp_path, capsys, damage, words):
    damage(sequence)
    argv = ["vot", "--engines", tiny_engines, "--sequences", sequence.parent, "--out", tmp_path / "out", "--threads", 1]
    assert run(*argv) == 4
    error = capsys.readouterr().err.replace("\r", "\n").splitlines()
    assert any(line.startswith("error: ") and words in line for line in error)
    assert not list(tmp_path.rglob("bag_001.txt"))


def test_results_of_other_engines_are_not_taken_for_these(sequence, tiny_engines, tmp_path, capsys):
    argv = ["vot", "--engines", tiny_engines, "--sequences", sequence.parent, "--out", tmp_path, "--threads", 1]
    assert run(*argv, "--tracker", "T") == 0
    beside = tmp_path / "times" / "T" / "bag.json"
    document = json.loads(beside.read_text())
    document["made_by"]["engines"]["search.onnx"] = "0" * 64
    beside.write_text(json.dumps(document))
    assert run(*argv, "--tracker", "T") == 2
    assert "bag_001.txt was made by other engines" in capsys.readouterr().err
    assert run(*argv, "--tracker", "U") == 0


@pytest.mark.parametrize("stale", ["times missing", "nothing said", "other truth"])
def test_results_of_unknown_or_other_making_are_refused(sequence, tiny_engines, tmp_path, capsys, stale):
    argv = ["vot", "--engines", tiny_engines, "--sequences", sequence.parent, "--out", tmp_path, "--threads", 1]
    assert run(*argv, "--tracker", "T") == 0
    assert run(*argv, "--tracker", "T") == 0
    beside = tmp_path / "times" / "T" / "bag.json"
    if stale == "times missing":
        beside.unlink()
    elif stale == "nothing said":
        document = json.loads(beside.read_text())
        del document["made_by"]
        beside.write_text(json.dumps(document))
    else:
        lines = (sequence / "groundtruth.txt").read_text().splitlines()
        (sequence / "groundtruth.txt").write_text("\n".join([*lines[:-1], "41,31,40,40"]) + "\n")
    assert run(*argv, "--tracker", "T") == 2
    assert "of another sequence" in capsys.readouterr().err


@pytest.fixture
def evaluated(tmp_path):
    """A data set of one sequence, and the results of a tracker on it."""
    entry = {"gt_rect": [[80, 80, 40, 40]] * FRAMES, "width": 200, "height": 200}
    (tmp_path / "annotations.json").write_text(json.dumps({"bag": entry}))
    folder = tmp_path / "results" / "T" / "baseline" / "bag"
    folder.mkdir(parents=True)
    (folder / "bag_001.txt").write_text("1\n" + "88,80,40,40\n" * (FRAMES - 1))
    return tmp_path


def evaluate(root):
    return run("evaluate", "--annotations", root / "annotations.json", "--results", root / "results")


def change(root, **fields):
    document = json.loads((root / "annotations.json").read_text())
    document["bag"].update(fields)
    (root / "annotations.json").write_text(json.dumps(document))


def second_result(root):
    folder = root / "results" / "T" / "baseline" / "bag"
    (folder / "bag_002.txt").write_text((folder / "bag_001.txt").read_text())


def another_data_set(root):
    (root / "results" / "T" / "baseline" / "bag").rename(root / "results" / "T" / "baseline" / "boat")


def shorter(root):
    (root / "results" / "T" / "baseline" / "bag" / "bag_001.txt").write_text("1\n88,80,40,40\n")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (second_result, "bag holds 2 results"),
        (another_data_set, "bag holds no result"),
        (shorter, "T has 2 lines for bag, which has 130 frames"),
        (lambda root: change(root, gt_rect=[[80, 80, 40, float("nan")]]), "bag, frame 0: a region is 4 or 8 finite"),
        (lambda root: change(root, gt_rect=[[1, 2, 3, 4, 5, 6, 7]]), "bag, frame 0: a region is 4 or 8 finite"),
        (lambda root: change(root, gt_rect=[]), "bag has no frame"),
        (lambda root: change(root, occlusion=[1, 0]), "bag: 2 marks of occlusion for 130 frames"),
        (lambda root: change(root, width=None), "bag has no size of its frames"),
        (lambda root: change(root, width=float("inf")), "bag has no size of its frames"),
        (lambda root: change(root, height=0), "bag has no size of its frames"),
        (lambda root: (root / "annotations.json").write_text("{}"), "annotations.json names no sequence"),
        (lambda root: (root / "annotations.json").write_text('{"bag": [1]}'), "is not an annotation file"),
        (lambda root: (root / "annotations.json").write_text('{"bag": {"gt_rect": 7}}'), "is not an annotation file"),
        (lambda root: (root / "annotations.json").write_text("[]"), "does not hold a JSON object"),
        (lambda root: (root / "annotations.json").write_text("{"), "cannot read"),
        (lambda root: (root / "annotations.json").unlink(), "no such file"),
    ],
)
def test_a_damaged_evaluation_is_refused(evaluated, capsys, damage, words):
    assert evaluate(evaluated) == 0
    damage(evaluated)
    assert evaluate(evaluated) == 4
    assert words in capsys.readouterr().err


def test_no_tracker_is_a_usage_error(evaluated, capsys):
    assert run("evaluate", "--annotations", evaluated / "annotations.json", "--results", evaluated) == 2
    assert "holds no tracker" in capsys.readouterr().err


def test_the_folder_of_the_sequences_says_the_same_as_their_annotations(evaluated, capsys):
    folder = evaluated / "sequences" / "bag"
    folder.mkdir(parents=True)
    for number in range(FRAMES):
        cv2.imwrite(str(folder / f"{number:04d}.jpg"), np.zeros((200, 200, 3), np.uint8))
    (folder / "groundtruth.txt").write_text("80,80,40,40\n" * FRAMES)
    (folder / "occlusion.tag").write_text("0\n" * 70 + "1\n" * 60)
    change(evaluated, occlusion=[0] * 70 + [1] * 60)
    found = []
    for source in (evaluated / "annotations.json", evaluated / "sequences"):
        out = evaluated / "out.json"
        assert run("evaluate", "--annotations", source, "--results", evaluated / "results", "--out", out) == 0
        found.append(json.loads(out.read_text()))
    assert found[0] == found[1]
    assert found[0]["trackers"]["T"]["eao"]["occlusion"] == pytest.approx(33 / 49)
    assert run("evaluate", "--annotations", evaluated / "results", "--results", evaluated / "results") == 2
    assert "holds no sequence" in capsys.readouterr().err


# What other programs leave and what has to be taken as it is


def lines_of(tmp_path, text):
    (tmp_path / "x_001.txt").write_bytes(text)
    return read(tmp_path / "x_001.txt")


def test_blanks_and_line_ends_of_other_systems_do_not_matter(tmp_path):
    found = lines_of(tmp_path, b"1\r\n10, 20, 30, 40 \r\n2.0000\r\n0\r\n\r\n")
    assert found.codes.tolist() == [1, -1, 2, 0]
    assert found.polygons[1].tolist() == [[10, 20], [40, 20], [40, 60], [10, 60]]


def test_a_blank_line_in_the_middle_is_named(tmp_path):
    with pytest.raises(ArtifactError, match="line 2: '' is neither"):
        lines_of(tmp_path, b"1\n\n1,2,3,4\n")


def test_boxes_and_corners_may_mix(tmp_path):
    found = lines_of(tmp_path, b"1\n10,20,30,40\n0,0,4,0,4,2,0,2\n")
    assert found.codes.tolist() == [1, -1, -1]
    assert found.polygons[2].tolist() == [[0, 0], [4, 0], [4, 2], [0, 2]]


def repetitions(tmp_path, count, text="1\n1,2,3,4\n"):
    folder = tmp_path / "T" / "baseline" / "bag"
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        (folder / f"bag_{number:03d}.txt").write_text(text)
    return folder


def test_the_toolkits_times_are_no_repetition(tmp_path):
    folder = repetitions(tmp_path, 1)
    (folder / "bag_time.txt").write_text("0.1\n0.1\n")
    (folder / "bag_001_time.value").write_text("0.1\n0.1\n")
    assert len(read_all(tmp_path, "T", "bag")) == 1


def test_fifteen_repetitions_count_and_three_equal_ones_are_one(tmp_path):
    folder = repetitions(tmp_path, 3)
    assert len(read_all(tmp_path, "T", "bag")) == 1
    (folder / "bag_003.txt").write_text("1\n1,2,3,5\n")
    with pytest.raises(ArtifactError, match="holds 3 results"):
        read_all(tmp_path, "T", "bag")
    for number in range(4, 16):
        (folder / f"bag_{number:03d}.txt").write_text("1\n2\n")
    found = read_all(tmp_path, "T", "bag")
    assert len(found) == 15
    assert [len(trajectory.failures) for trajectory in found] == [0] * 3 + [1] * 12


def test_repetitions_are_averaged(tmp_path):
    """Ten of fifteen fail in frame 60, five never do and overlap less."""
    from benchmarks.evaluation.vot.measures import measure
    from benchmarks.evaluation.vot.protocol import Protocol

    protocol = Protocol.load("vot2019")
    entry = {"gt_rect": [[80, 80, 40, 40]] * 100, "width": 200, "height": 200}
    (tmp_path / "annotations.json").write_text(json.dumps({"bag": entry}))
    folder = repetitions(tmp_path, 15, "1\n" + "80,80,40,40\n" * 59 + "2\n0\n0\n0\n0\n1\n" + "80,80,40,40\n" * 34)
    for number in range(1, 6):
        (folder / f"bag_{number:03d}.txt").write_text("1\n" + "88,80,40,40\n" * 99)
    found = measure("T", tmp_path, load(tmp_path / "annotations.json", protocol.tags), protocol)
    low = 33 / 49  # a 40x40 box 8 px off
    assert found.failures == pytest.approx(10 / 15)
    assert found.robustness == pytest.approx(10 / 15)
    # frames 10-59 and 75-99 have all fifteen, 60-74 the five without burn-in or a code
    assert found.accuracy == pytest.approx((75 * (10 + 5 * low) / 15 + 15 * low) / 90)
    # the failed pieces go on as zeros; the 35 frames after the second start are too short to be looked at
    lengths = np.arange(45, 100)  # index: length without the first frame
    expected = [(10 * min(1, 59 / length) + 5 * low) / 15 for length in lengths]
    assert found.eao["all"] == pytest.approx(np.mean(expected))


def test_each_sequence_gives_back_what_its_tracker_held(sequence, tiny_engines, tmp_path, monkeypatch):
    closed = []
    original = Tracker.close
    monkeypatch.setattr(Tracker, "close", lambda tracker: (closed.append(tracker), original(tracker)))
    argv = ["vot", "--engines", tiny_engines, "--sequences", sequence.parent, "--out", tmp_path, "--threads", 1]
    assert run(*argv) == 0
    assert len(closed) == 1
