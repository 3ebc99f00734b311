import pytest

from calibration.discover import find_clips
from calibration.tracked import track
from runtime.onnxruntime.matcher import OnnxMatcher
from runtime.tracker import Tracker
from siamtrt import BoundingBox, ModelCard, UsageError
from tests.calibration.frames import box_of, picture, write_film, write_video


@pytest.fixture
def card(tiny_onnx):
    return ModelCard.load(tiny_onnx)


def test_the_boxes_are_those_of_the_tracker(tmp_path, tiny_onnx, card):
    write_video(tmp_path / "v", 4, boxes=1)
    (clip,) = find_clips(tmp_path, 10)
    tracked = track(clip, tiny_onnx, card, threads=1)
    with Tracker(OnnxMatcher(tiny_onnx, card, threads=1)) as tracker:
        states = [tracker.start(picture(0), BoundingBox(*box_of(0)))]
        states += [tracker.update(picture(position)) for position in range(1, 4)]
    assert [label.box for label in tracked.labels] == [state.box for state in states]
    assert [label.frame for label in tracked.labels] == ["000.png", "001.png", "002.png", "003.png"]
    assert not tracked.untracked


def test_a_video_file_is_tracked_to_its_end_or_to_the_limit(tmp_path, tiny_onnx, card, monkeypatch):
    write_film(tmp_path / "film.avi", 6)
    (tmp_path / "film.txt").write_text("40,30,30,20\n")
    (clip,) = find_clips(tmp_path, 10)
    assert len(track(clip, tiny_onnx, card, threads=1).labels) == 6
    monkeypatch.setattr("calibration.tracked._MOST_FRAMES", 3)
    assert [label.frame for label in track(clip, tiny_onnx, card, threads=1).labels] == [
        "frame 0",
        "frame 1",
        "frame 2",
    ]


def test_a_first_box_outside_the_frame_is_refused(tmp_path, tiny_onnx, card):
    write_video(tmp_path / "v", 2, boxes=1)
    (tmp_path / "v" / "groundtruth.txt").write_text("900,900,30,20\n")
    (clip,) = find_clips(tmp_path, 10)
    with pytest.raises(UsageError, match="outside the frame"):
        track(clip, tiny_onnx, card, threads=1)
