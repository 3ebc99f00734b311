import pytest

from calibration.tracked import track
from runtime.tracker import Tracker
from sequences.layouts import open_sequences
from siamtrt import BoundingBox, ModelCard, UsageError
from tests.doubles.clip import on_the_cpu
from tests.tiny import write_tiny_model
from tests.videos import box_of, picture, write_film, write_video


@pytest.fixture
def card(tiny_onnx):
    return ModelCard.load(tiny_onnx)


def test_the_boxes_are_those_of_the_tracker(tmp_path, tiny_onnx, card):
    write_video(tmp_path / "v", 4, boxes=1)
    (sequence,) = open_sequences(tmp_path)
    tracked = track(sequence, tiny_onnx, card, threads=1)
    with Tracker(on_the_cpu(tiny_onnx, threads=1)) as tracker:
        states = [tracker.start(picture(0), BoundingBox(*box_of(0)))]
        states += [tracker.update(picture(position)) for position in range(1, 4)]
    assert dict(tracked.boxes()) == {index: state.box for index, state in enumerate(states)}
    assert tracked.images == sequence.images
    assert sequence.is_start_only
    assert not tracked.is_start_only


def test_a_video_file_is_tracked_to_its_end_or_to_the_limit(tmp_path, tiny_onnx, card, monkeypatch):
    write_film(tmp_path / "film.avi", 6)
    (tmp_path / "film.txt").write_text("40,30,30,20\n")
    (sequence,) = open_sequences(tmp_path)
    assert len(list(track(sequence, tiny_onnx, card, threads=1).boxes())) == 6
    monkeypatch.setattr("calibration.tracked._MOST_FRAMES", 3)
    tracked = track(sequence, tiny_onnx, card, threads=1)
    assert [image.name for image in tracked.images] == ["frame 0", "frame 1", "frame 2"]


def test_frames_in_which_the_target_is_lost_have_no_box(tmp_path, tiny_onnx, card):
    write_tiny_model(tmp_path / "onnx", lost=True)
    write_video(tmp_path / "v" / "v", 6, boxes=1)
    (sequence,) = open_sequences(tmp_path / "v")
    lost = ModelCard.load(tmp_path / "onnx")
    with Tracker(on_the_cpu(tmp_path / "onnx", threads=1)) as tracker:
        states = [tracker.start(picture(0), BoundingBox(*box_of(0)))]
        states += [tracker.update(picture(position)) for position in range(1, 6)]
    followed = {index: state.box for index, state in enumerate(states) if not state.lost}
    assert dict(track(sequence, tmp_path / "onnx", lost, threads=1).boxes()) == followed
    assert len(followed) < 6


def test_a_first_box_outside_the_frame_is_refused(tmp_path, tiny_onnx, card):
    write_video(tmp_path / "v", 2, boxes=1)
    (tmp_path / "v" / "groundtruth.txt").write_text("900,900,30,20\n")
    (sequence,) = open_sequences(tmp_path)
    with pytest.raises(UsageError, match="outside the frame"):
        track(sequence, tiny_onnx, card, threads=1)
