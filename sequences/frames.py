"""Where the pixels of a frame lie: in an image file, or in a video, whose frames go by ``clip.mp4/frame 12``."""

from __future__ import annotations

import functools
import threading
from pathlib import Path

import cv2

from siamtrt import Array, ArtifactError
from siamtrt.libraries.images import read_image

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv")
_FRAME = "frame "
_OPEN_VIDEOS = 4


def read_frame(path: Path) -> Array:
    """Read a frame: HxWx3 uint8, BGR.

    Raises:
        ArtifactError: the image is not readable, or the video ends before that frame.
    """
    if path.name.startswith(_FRAME) and not path.suffix:
        return _opened(path.parent).frame(int(path.name[len(_FRAME) :]))
    image = read_image(path)
    if image is None:
        raise ArtifactError(f"{path} is not a readable image", hint="fetch it anew, or remove it and its annotation")
    return image


def frames_of_video(path: Path) -> tuple[Path, ...]:
    """The frames of a video file, as :func:`read_frame` takes them.

    Raises:
        ArtifactError: OpenCV cannot read the file, or it holds no frame.
    """
    capture = cv2.VideoCapture(str(path))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    # The container's word is taken where its last frame is there: some guess from the length in seconds.
    if count <= 0 or not capture.set(cv2.CAP_PROP_POS_FRAMES, count - 1) or not capture.grab():
        count = _counted(path)
    if not count:
        raise _unreadable(path)
    return tuple(path / f"{_FRAME}{index}" for index in range(count))


class _Video:
    """An open video file. Frames are decoded in order: going forward is cheap, going back starts again."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._rewind()

    def _rewind(self) -> None:
        self._capture, self._grabbed = cv2.VideoCapture(str(self._path)), 0

    def frame(self, index: int) -> Array:
        with self._lock:
            if index < self._grabbed - 1:
                self._rewind()
            while self._grabbed <= index:
                if not self._capture.grab():
                    raise self._error(index)
                self._grabbed += 1
            decoded, frame = self._capture.retrieve()
            if not decoded:
                raise self._error(index)
            image: Array = frame
            return image

    def _error(self, index: int) -> ArtifactError:
        if not self._grabbed:
            return _unreadable(self._path)
        return ArtifactError(f"{self._path} ends before frame {index}", hint="is the video whole? Fetch it anew")


@functools.lru_cache(maxsize=_OPEN_VIDEOS)
def _opened(path: Path) -> _Video:
    return _Video(path)


def _counted(path: Path) -> int:
    capture, count = cv2.VideoCapture(str(path)), 0
    while capture.grab():
        count += 1
    return count


def _unreadable(path: Path) -> ArtifactError:
    return ArtifactError(f"{path} is not a readable video", hint="is it whole, and of a codec that OpenCV reads?")
