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
        capture, count = cv2.VideoCapture(str(path)), 0
        while capture.grab():
            count += 1
    if not count:
        raise ArtifactError(f"{path} is not a readable video", hint="is it whole, and of a codec that OpenCV reads?")
    return tuple(path / f"{_FRAME}{index}" for index in range(count))


class _Video:
    """An open video file. Frames are decoded in order: going forward is cheap, going back starts again."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._capture, self._grabbed = cv2.VideoCapture(str(path)), 0

    def frame(self, index: int) -> Array:
        with self._lock:
            if index < self._grabbed - 1:
                self._capture, self._grabbed = cv2.VideoCapture(str(self._path)), 0
            while self._grabbed <= index and self._capture.grab():
                self._grabbed += 1
            decoded, frame = self._capture.retrieve() if self._grabbed > index else (False, None)
            if not decoded or frame is None:
                raise ArtifactError(f"{self._path} ends before frame {index}", hint="is the video whole? Fetch it anew")
            return frame


_opened = functools.lru_cache(maxsize=4)(_Video)
