"""Which frames are chosen."""

import os
from collections import Counter

import numpy as np
import pytest

from calibration.plan import View, choose, fingerprint, usable_views
from sequences.sequence import Sequence
from siamtrt import BoundingBox, ModelCard, UsageError
from tests.videos import box_of, write_film, write_masked, write_stills, write_video


def views(name, frames):
    sequence = Sequence(name, (), tuple(box_of(index) for index in range(frames)))
    return [View(sequence, index, box) for index, box in sequence.boxes()]


def sources(**frames):
    return {name: views(name, count) for name, count in frames.items()}


def drawn(choices):
    return Counter(choice.search.sequence.name for choice in choices)


def test_each_clip_gives_the_same_number():
    assert drawn(choose(sources(a=50, b=500, c=9), 24, seed=0)) == {"a": 8, "b": 8, "c": 8}


def test_what_is_left_over_goes_to_clips_drawn_by_chance():
    counts = [drawn(choose(sources(a=50, b=50, c=50), 10, seed)) for seed in range(9)]
    assert all(sorted(count.values()) == [3, 3, 4] for count in counts)
    assert len({max(count, key=count.get) for count in counts}) > 1


def test_the_others_make_up_for_a_short_clip_and_it_is_named(caplog):
    assert drawn(choose(sources(short=2, a=50, b=50), 30, seed=0)) == {"short": 2, "a": 14, "b": 14}
    assert "short" in caplog.text


def test_no_frame_is_searched_twice_and_no_template_is_later():
    choices = choose(sources(a=40), 40, seed=0)
    assert [choice.search.index for choice in choices] == list(range(40))
    assert all(choice.template.index < choice.search.index for choice in choices[1:])
    assert len({choice.template.index for choice in choices}) > 15


def test_the_seed_decides():
    clips = sources(a=40, b=40)
    assert choose(clips, 20, seed=1) == choose(clips, 20, seed=1)
    assert choose(clips, 20, seed=1) != choose(clips, 20, seed=2)


@pytest.mark.parametrize("crops", [0, 6])
def test_more_crops_than_frames_are_refused(crops):
    with pytest.raises(UsageError, match=f"{crops} crops were asked for, the frames give 1 to 5"):
        choose(sources(a=3, b=2), crops, seed=0)


def test_the_state_is_the_box_before_with_a_small_error():
    choices = choose(sources(a=400), 400, seed=0)
    shifts, sizes = [], []
    for choice in choices[1:]:
        before = BoundingBox(*box_of(choice.search.index - 1))
        shifts.append((choice.state.center[0] - before.center[0]) / 600**0.5)
        sizes.append(np.log(choice.state.width / before.width))
    assert np.mean(shifts) == pytest.approx(0, abs=0.02)
    assert np.std(shifts) == pytest.approx(0.1, abs=0.02)
    assert np.std(sizes) == pytest.approx(0.1, abs=0.02)


@pytest.fixture
def usable(tiny_onnx, request_of):
    def find(root):
        views = usable_views(request_of(source=root), ModelCard.load(tiny_onnx))
        return {name: [(view.sequence.name, view.index) for view in found] for name, found in views.items()}

    return find


def test_each_folder_or_file_is_a_source_and_images_of_one_object_belong_together(tmp_path, usable):
    write_video(tmp_path / "nested" / "walk", 2)
    write_masked(tmp_path / "davis", 2)
    write_film(tmp_path / "film.avi", 2)
    (tmp_path / "film.txt").write_text("40,30,30,20\n" * 2)
    table = {"c/0.png": [1, 2, 30, 40], "c/1.png": [2, 2, 30, 40], "many.png": [[5, 6, 20, 20], [7, 8, 5, 5]]}
    write_stills(tmp_path / "set", table)
    assert usable(tmp_path) == {
        "davis": [("davis", 0), ("davis", 1)],
        "film.avi": [("film.avi", 0), ("film.avi", 1)],
        "nested/walk": [("nested/walk", 0), ("nested/walk", 1)],
        "set": [("set/c", 0), ("set/c", 1), ("set/many.png-1", 0)],
    }


def test_frames_that_are_not_annotated_are_left_out(tmp_path, usable):
    write_video(tmp_path / "v", 3)
    (tmp_path / "v" / "groundtruth.txt").write_text("10,10,50,10,50,40,10,40\nnan,nan,nan,nan\n1 2 30 40\n")
    assert usable(tmp_path) == {"v": [("v", 0), ("v", 2)]}


def test_a_video_with_its_first_box_alone_is_tracked(tmp_path, usable):
    write_video(tmp_path / "folder", 4, boxes=1)
    write_film(tmp_path / "film.avi", 3)
    (tmp_path / "film.txt").write_text("40,30,30,20\n")
    assert {name: len(found) for name, found in usable(tmp_path).items()} == {"film.avi": 3, "folder": 4}


def test_small_boxes_are_left_out_and_a_video_of_them_is_named(tmp_path, usable, caplog):
    write_video(tmp_path / "far", 2)
    write_video(tmp_path / "near", 2)
    (tmp_path / "far" / "groundtruth.txt").write_text("1,1,30,9.5\n" * 2)
    assert list(usable(tmp_path)) == ["near"]
    assert "left out far" in caplog.text
    with pytest.raises(UsageError, match="no box that is large enough"):
        usable(tmp_path / "far")


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
