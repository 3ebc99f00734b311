"""Frames from a video file, a folder of images, a camera, a URL or a GStreamer pipeline."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import cv2

from siamtrt import Array, MissingDependencyError, UsageError
from siamtrt.libraries.images import SUFFIXES, images_of, read_image

KINDS = "a video, a folder of images, camera:N, csi:N, a URL (rtsp://..., http://...) or gst:PIPELINE"
_DEFAULT_FPS = 30.0
_URL = re.compile(r"(rtsps?|rtmps?|https?|udp|tcp|srt)://.+")

log = logging.getLogger(__name__)


class Source(Protocol):
    """A finite or endless run of frames.

    Attributes:
        count: how many frames there are, or None where that is not known.
        fps: frames a second to play them at.

    A frame is HxWx3 uint8, BGR. An unreadable image of a folder is None; a video that breaks off ends
    there, and says so.
    """

    count: int | None
    fps: float

    def frames(self) -> Iterator[Array | None]:
        """Yield the frames in order."""


class FolderSource:
    """The images of a folder, or of its subfolder ``color``, by number."""

    def __init__(self, folder: Path) -> None:
        inner = folder / "color"
        self._paths = images_of(inner if inner.is_dir() else folder)
        if not self._paths:
            raise UsageError(f"{folder} holds no image", hint=f"one of {', '.join(SUFFIXES)}")
        self.count: int | None = len(self._paths)
        self.fps = _DEFAULT_FPS

    def frames(self) -> Iterator[Array | None]:
        for path in self._paths:
            frame = read_image(path)
            if frame is None:
                log.warning("%s is not a readable image; the target is kept where it was", path)
            yield frame


class VideoSource:
    """What OpenCV's VideoCapture reads: a file, a camera, a URL, a pipeline."""

    def __init__(self, capture: cv2.VideoCapture, name: str) -> None:
        if not capture.isOpened():
            raise UsageError(
                f"cannot open {name}",
                hint="is it a video that OpenCV reads, a camera that is free, a server that answers?",
            )
        self._capture, self._name = capture, name
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.count = count if count > 0 else None
        self.fps = capture.get(cv2.CAP_PROP_FPS) or _DEFAULT_FPS

    def frames(self) -> Iterator[Array | None]:
        seen = 0
        try:
            while True:
                grabbed, frame = self._capture.read()
                if not grabbed:
                    break
                seen += 1
                yield frame
        finally:
            self._capture.release()
        if seen == 0:
            raise UsageError(f"{self._name} holds no frame", hint="is the file whole?")
        if self.count is not None and seen < self.count:
            log.warning("%s broke off after %d of %d frames", self._name, seen, self.count)


def csi_pipeline(camera: int) -> str:
    """The GStreamer pipeline that reads a Jetson's CSI camera: the newest 1280x720 frame, in BGR.

    Source: NVIDIA, "Accelerated GStreamer", L4T 35; needs a board.
    """
    sensor = f"nvarguscamerasrc sensor-id={camera}"
    taken = "video/x-raw(memory:NVMM),width=1280,height=720,framerate=30/1,format=NV12"
    copied = "nvvidconv ! video/x-raw,format=BGRx ! videoconvert ! video/x-raw,format=BGR"
    return f"{sensor} ! {taken} ! {copied} ! appsink drop=true max-buffers=1"


def open_source(text: str) -> Source:
    """Open what ``--source`` names: a file, a folder, ``camera:N``, ``csi:N``, a URL or ``gst:PIPELINE``.

    Raises:
        UsageError: no such file, an empty folder, or something OpenCV cannot open.
        MissingDependencyError: a pipeline, but OpenCV was built without GStreamer.
    """
    kind, _, rest = text.partition(":")
    if kind == "camera" and rest.isdigit():
        return VideoSource(cv2.VideoCapture(int(rest)), text)
    if kind == "csi" and rest.isdigit():
        return open_source(f"gst:{csi_pipeline(int(rest))}")
    if kind == "gst" and rest:
        if not re.search(r"GStreamer:\s+YES", cv2.getBuildInformation()):
            raise MissingDependencyError(
                "this OpenCV was built without GStreamer",
                hint="take JetPack's: pip uninstall opencv-python-headless, then sudo apt install libopencv-python",
            )
        return VideoSource(cv2.VideoCapture(rest, cv2.CAP_GSTREAMER), text)
    if _URL.fullmatch(text):
        return VideoSource(cv2.VideoCapture(text), text)
    path = Path(text)
    if path.is_dir():
        return FolderSource(path)
    if not path.is_file():
        raise UsageError(f"no such file or folder: {text}", hint=KINDS)
    return VideoSource(cv2.VideoCapture(str(path)), text)
