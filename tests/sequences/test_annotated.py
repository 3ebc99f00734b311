"""What evaluation takes: layouts of data sets in small, as OTB, UAV123, GOT-10k and the VOT toolkit lay them out."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from sequences.annotated import load_sequence, load_sequences
from siamtrt import ArtifactError, BoundingBox, UsageError


def write(folder, truth, lines, *, images="", count=None, name="{:04d}.jpg"):
    """A folder of black images with *lines* of truth."""
    inner = folder / images
    inner.mkdir(parents=True, exist_ok=True)
    for index in range(len(lines) if count is None else count):
        cv2.imwrite(str(inner / name.format(index + 1)), np.zeros((8, 8, 3), np.uint8))
    (folder / truth).write_text("\n".join(lines) + "\n")


def test_lines_without_truth_are_allowed_on_request_only(tmp_path):
    write(tmp_path / "bird", "groundtruth.txt", ["1,2,3,4", "NaN,NaN,NaN,NaN", "1,2,inf,4"])
    (sequence,) = load_sequences(tmp_path, gaps=True)
    assert sequence.regions[0] == (1, 2, 3, 4)
    assert all(math.isnan(value) for region in sequence.regions[1:] for value in region)
    with pytest.raises(ArtifactError, match=r"0002\.jpg has no truth"):
        load_sequences(tmp_path)


def test_otb(tmp_path):
    write(tmp_path / "Basketball", "groundtruth_rect.txt", ["1\t2\t3\t4"] * 3, images="img")
    write(tmp_path / "Jogging", "groundtruth_rect.1.txt", ["1,2,3,4"] * 2, images="img")
    write(tmp_path / "Jogging", "groundtruth_rect.2.txt", ["5,6,7,8"] * 2, images="img")
    found = {sequence.name: sequence for sequence in load_sequences(tmp_path)}
    assert list(found) == ["Basketball", "Jogging-1", "Jogging-2"]
    assert found["Jogging-2"].start_box(0) == BoundingBox(5, 6, 7, 8)
    assert [path.name for path in found["Basketball"].images] == ["0001.jpg", "0002.jpg", "0003.jpg"]
    assert [sequence.name for sequence in load_sequences(tmp_path, ("Jogging-1",))] == ["Jogging-1"]


def test_otbs_sequences_that_are_annotated_in_part(tmp_path):
    write(tmp_path / "Football1", "groundtruth_rect.txt", ["1,2,3,4"] * 74, images="img", count=80)
    write(tmp_path / "David", "groundtruth_rect.txt", ["1,2,3,4"] * 2, images="img", count=301)
    found = load_sequences(tmp_path, ("Football1",))
    assert [path.name for path in found[0].images[::73]] == ["0001.jpg", "0074.jpg"]
    assert [path.name for path in load_sequence(tmp_path / "David").images] == ["0300.jpg", "0301.jpg"]


def test_got10k(tmp_path):
    write(tmp_path / "GOT_000001", "groundtruth.txt", ["1.0,2.0,3.0,4.0"] * 2, name="{:08d}.jpg")
    write(tmp_path / "GOT_000002", "groundtruth.txt", ["1.0,2.0,3.0,4.0"], count=2, name="{:08d}.jpg")
    (tmp_path / "list.txt").write_text("GOT_000001\n")
    assert [sequence.name for sequence in load_sequences(tmp_path)] == ["GOT_000001"]
    with pytest.raises(ArtifactError, match="has 2 images for 1 lines of truth"):
        load_sequence(tmp_path / "GOT_000002")
    (tmp_path / "list.txt").write_text("GOT_000001\nGOT_000009\n")
    with pytest.raises(ArtifactError, match=r"list\.txt names GOT_000009, which has no truth"):
        load_sequences(tmp_path)


def test_the_toolkits_layout_with_corners(tmp_path):
    write(tmp_path / "ants1", "groundtruth.txt", ["0,0,4,0,4,2,0,2"], images="color", name="{:08d}.jpg")
    sequence = load_sequence(tmp_path / "ants1")
    assert sequence.polygon(0).tolist() == [[0, 0], [4, 0], [4, 2], [0, 2]]
    assert sequence.start_box(0) == BoundingBox.from_polygon(sequence.regions[0])


def test_hidden_files_are_no_frames_and_no_sequences(tmp_path):
    """A half-written image, and what macOS leaves in archives."""
    write(tmp_path / "bag", "groundtruth.txt", ["1,2,3,4"] * 2)
    for name in (".0003.71.partial.jpg", "._0001.jpg"):
        (tmp_path / "bag" / name).write_bytes(b"")
    write(tmp_path / ".trash", "groundtruth.txt", ["1,2,3,4"])
    assert [(sequence.name, len(sequence)) for sequence in load_sequences(tmp_path)] == [("bag", 2)]


def test_a_folder_without_sequences_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    for root in (tmp_path, tmp_path / "nowhere", tmp_path / "photos"):
        with pytest.raises(UsageError, match="holds no sequence"):
            load_sequences(root)
    (tmp_path / "photos" / "groundtruth.txt").write_text("")
    with pytest.raises(ArtifactError, match="photos holds no image"):
        load_sequences(tmp_path)
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\n")
    with pytest.raises(ArtifactError, match="which has no truth"):
        load_sequences(tmp_path)


def test_a_box_ends_on_its_last_pixel(tmp_path):
    write(tmp_path / "ants1", "groundtruth.txt", ["10,20,5,4"], images="color", name="{:08d}.jpg")
    assert load_sequence(tmp_path / "ants1").polygon(0).tolist() == [[10, 20], [10, 23], [14, 23], [14, 20]]


def test_a_sequence_may_be_named_itself_and_one_of_several_must_be(tmp_path):
    write(tmp_path / "set" / "a", "groundtruth.txt", ["1,2,3,4"] * 2)
    write(tmp_path / "set" / "b", "groundtruth.txt", ["1,2,3,4"] * 2)
    assert load_sequence(tmp_path / "set" / "a").name == "a"
    with pytest.raises(UsageError, match="holds 2 sequences, not one"):
        load_sequence(tmp_path / "set")


def test_sequences_at_any_depth_go_by_their_own_name(tmp_path):
    """So that those which calibrated engines are known by it."""
    write(tmp_path / "set" / "sequences" / "bag", "groundtruth.txt", ["1,2,3,4"] * 2)
    assert [sequence.name for sequence in load_sequences(tmp_path, ("bag",))] == ["bag"]
    write(tmp_path / "other" / "bag", "groundtruth.txt", ["1,2,3,4"] * 2)
    with pytest.raises(UsageError, match="two sequences of one name"):
        load_sequences(tmp_path)


def test_images_without_a_truth_are_no_sequence_beside_those_with_one(tmp_path):
    write(tmp_path / "a", "groundtruth.txt", ["1,2,3,4"] * 2)
    write(tmp_path / "photos", "notes.md", ["none"])
    cv2.imwrite(str(tmp_path / "sheet.png"), np.zeros((8, 8, 3), np.uint8))
    assert [sequence.name for sequence in load_sequences(tmp_path)] == ["a"]
    with pytest.raises(UsageError, match="no sequence with a truth"):
        load_sequences(tmp_path / "photos")
