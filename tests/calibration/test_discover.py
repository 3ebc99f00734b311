import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.discover import find_clips, fingerprint
from siamtrt import ArtifactError, BoundingBox, UsageError
from tests.calibration.frames import box_of, picture, write_film, write_masked, write_stills, write_video


def found(root, min_side_px=10.0):
    return {clip.name: clip for clip in find_clips(root, min_side_px)}


def test_a_video_with_boxes(tmp_path):
    write_video(tmp_path / "nested" / "walk", 3)
    clip = found(tmp_path)["nested/walk"]
    assert [label.box for label in clip.labels] == [BoundingBox(*box_of(position)) for position in range(3)]
    assert [label.frame for label in clip.labels] == ["000.png", "001.png", "002.png"]
    assert not clip.untracked
    frames = dict(clip.frames({2, 0}))
    assert list(frames) == [0, 2]
    np.testing.assert_array_equal(frames[2], picture(2))


def test_the_folder_itself_may_be_the_video(tmp_path, monkeypatch):
    write_video(tmp_path / "walk", 3)
    assert list(found(tmp_path / "walk")) == ["walk"]
    monkeypatch.chdir(tmp_path / "walk")
    assert list(found(Path())) == ["walk"]


def test_images_may_lie_in_color_and_truth_may_be_polygons_or_absent(tmp_path):
    write_video(tmp_path / "v" / "color", 3)
    (tmp_path / "v" / "color" / "groundtruth.txt").unlink()
    polygon = "10,10,50,10,50,40,10,40"
    (tmp_path / "v" / "groundtruth.txt").write_text(f"{polygon}\nnan,nan,nan,nan\n1 2 30 40\n")
    labels = found(tmp_path)["v"].labels
    assert [(label.position, label.frame) for label in labels] == [(0, "000.png"), (2, "002.png")]
    assert labels[0].box == BoundingBox.from_polygon([float(number) for number in polygon.split(",")])


def test_masks_are_turned_into_boxes(tmp_path):
    write_masked(tmp_path / "davis", 2)
    cv2.imwrite(str(tmp_path / "davis" / "001.png"), np.zeros((120, 160), np.uint8))
    labels = found(tmp_path)["davis"].labels
    assert [(label.frame, label.box) for label in labels] == [("000.jpg", BoundingBox(*box_of(0)))]


def test_stills_group_what_shows_one_object(tmp_path):
    table = {
        "clip0/0.png": [1, 2, 30, 40],
        "clip0/1.png": [2, 2, 30, 40],
        "many.png": [[5, 6, 20, 20], [7, 8, 5, 5], [9, 9, 20, 20]],
        "none.png": [],
    }
    write_stills(tmp_path / "set", table)
    clips = found(tmp_path)
    groups = [(label.frame, label.group) for label in clips["set"].labels]
    assert groups == [
        ("clip0/0.png", "clip0"),
        ("clip0/1.png", "clip0"),
        ("many.png", "many.png 0"),
        ("many.png", "many.png 2"),
    ]


def test_one_box_for_many_frames_is_a_start_of_tracking(tmp_path):
    write_video(tmp_path / "folder", 4, boxes=1)
    write_film(tmp_path / "film.avi", 4)
    (tmp_path / "film.txt").write_text("40,30,30,20\n")
    clips = found(tmp_path)
    assert {name: clip.untracked for name, clip in clips.items()} == {"folder": True, "film.avi": True}


def test_frames_of_a_video_file_are_those_asked_for(tmp_path):
    write_film(tmp_path / "film.avi", 6)
    (tmp_path / "film.txt").write_text("40,30,30,20\n" * 6)
    clip = found(tmp_path)["film.avi"]
    means = {position: frame.mean() - (picture(0) // 16).mean() for position, frame in clip.frames({1, 4})}
    assert means == pytest.approx({1: 10, 4: 40}, abs=1.5)
    with pytest.raises(ArtifactError, match="ends before frame 9"):
        list(clip.frames({1, 9}))


def test_small_boxes_are_left_out_and_a_clip_of_them_is_named(tmp_path, caplog):
    write_video(tmp_path / "far", 2)
    write_video(tmp_path / "near", 2)
    (tmp_path / "far" / "groundtruth.txt").write_text("1,1,30,9.5\n" * 2)
    assert list(found(tmp_path)) == ["near"]
    assert "left out far" in caplog.text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1,2,3\n1,2,3\n", "a box is 4 or 8 numbers, not 3"),
        ("1,2,a,4\n1,2,3,4\n", "not numbers"),
        ("1,2,30,40\n" * 3, "2 images for 3 boxes"),
    ],
)
def test_damaged_truth_is_refused(tmp_path, text, problem):
    write_video(tmp_path / "v", 2)
    (tmp_path / "v" / "groundtruth.txt").write_text(text)
    with pytest.raises(ArtifactError, match=problem):
        found(tmp_path)


def test_stills_that_are_not_there_are_refused(tmp_path):
    write_stills(tmp_path / "set", {"a.png": [1, 2, 30, 40]})
    (tmp_path / "set" / "a.png").unlink()
    with pytest.raises(ArtifactError, match=r"names a\.png, which is not there"):
        found(tmp_path)


def test_frames_without_a_box_are_refused_with_the_file_to_write(tmp_path):
    write_film(tmp_path / "a" / "film.avi", 2)
    with pytest.raises(UsageError, match=r"write x,y,w,h of the object in its first frame to .*film\.txt"):
        found(tmp_path / "a")
    write_video(tmp_path / "b" / "v", 2)
    (tmp_path / "b" / "v" / "groundtruth.txt").unlink()
    with pytest.raises(UsageError, match="images but no box"):
        found(tmp_path / "b")


def test_an_empty_or_missing_folder_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no labelled frame"):
        found(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        found(tmp_path / "gone")


def test_an_unreadable_image_is_named(tmp_path):
    write_video(tmp_path / "v", 2)
    (tmp_path / "v" / "001.png").write_bytes(b"no image")
    with pytest.raises(ArtifactError, match=r"001\.png is not a readable image"):
        list(found(tmp_path)["v"].frames({1}))


def test_the_fingerprint_changes_with_the_frames(tmp_path):
    write_video(tmp_path / "v", 2)
    before = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == before
    truth = tmp_path / "v" / "groundtruth.txt"
    moved = truth.stat()
    truth.write_text("9" + truth.read_text()[1:])
    os.utime(truth, ns=(moved.st_atime_ns, moved.st_mtime_ns))
    edited = fingerprint(tmp_path)
    assert edited != before
    os.utime(tmp_path / "v" / "001.png")
    touched = fingerprint(tmp_path)
    assert touched != edited
    (tmp_path / "v" / "001.png").unlink()
    assert fingerprint(tmp_path) != touched
