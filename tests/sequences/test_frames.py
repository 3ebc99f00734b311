"""Frames of a video file are those of a row of images, in any order."""

from __future__ import annotations

import pickle

import cv2
import numpy as np
import pytest

from sequences.frames import frames_of_video, read_frame
from sequences.sequence import Sequence
from siamtrt import ArtifactError
from tests.videos import write_film


@pytest.fixture
def film(tmp_path):
    write_film(tmp_path / "film.avi", 6)
    return tmp_path / "film.avi"


def plainly_read(path):
    capture, frames = cv2.VideoCapture(str(path)), []
    grabbed, frame = capture.read()
    while grabbed:
        frames.append(frame)
        grabbed, frame = capture.read()
    return frames


def test_frames_are_those_of_a_plain_loop_whatever_their_order(film):
    expected, paths = plainly_read(film), frames_of_video(film)
    assert len(paths) == 6
    for index in (0, 1, 1, 4, 2, 5, 0):
        np.testing.assert_array_equal(read_frame(paths[index]), expected[index])


def test_a_frame_handed_on_is_not_changed_by_the_next(film):
    paths = frames_of_video(film)
    first = read_frame(paths[0])
    kept = first.copy()
    read_frame(paths[3])
    np.testing.assert_array_equal(first, kept)


def test_a_sequence_of_a_video_goes_to_other_processes(film):
    sequence = Sequence("film.avi", frames_of_video(film), ((1.0, 2.0, 3.0, 4.0),) * 6)
    sequence.frame(2)
    copy = pickle.loads(pickle.dumps(sequence))
    assert copy == sequence
    np.testing.assert_array_equal(copy.frame(2), sequence.frame(2))


def test_frames_that_only_the_container_promises_are_not_counted(film, monkeypatch):
    real = cv2.VideoCapture

    class Promising:
        def __init__(self, path):
            self._capture = real(path)

        def get(self, what):
            return 9.0

        def __getattr__(self, name):
            return getattr(self._capture, name)

    monkeypatch.setattr(cv2, "VideoCapture", Promising)
    assert len(frames_of_video(film)) == 6


def test_a_damaged_video_names_itself(tmp_path, film):
    with pytest.raises(ArtifactError, match=r"film\.avi ends before frame 9"):
        read_frame(film / "frame 9")
    for content in (b"", b"no video at all", film.read_bytes()[:100]):
        (tmp_path / "broken.avi").write_bytes(content)
        with pytest.raises(ArtifactError, match=r"broken\.avi is not a readable video"):
            frames_of_video(tmp_path / "broken.avi")
    with pytest.raises(ArtifactError, match=r"broken\.avi ends before frame 0"):
        read_frame(tmp_path / "broken.avi" / "frame 0")


def test_an_image_in_a_folder_called_like_a_video_is_an_image(tmp_path):
    (tmp_path / "clip.mp4").mkdir()
    cv2.imwrite(str(tmp_path / "clip.mp4" / "frame 1.png"), np.full((8, 8, 3), 7, np.uint8))
    assert read_frame(tmp_path / "clip.mp4" / "frame 1.png").max() == 7
    with pytest.raises(ArtifactError, match=r"2\.png is not a readable image"):
        read_frame(tmp_path / "clip.mp4" / "2.png")
