"""Frames from a video file, a folder of images, a camera, a URL or a GStreamer pipeline."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import cv2

from runtime.frames import Frame, as_bgr
from runtime.nv12 import Nv12Frame
from siamtrt import Array, MissingDependencyError, UsageError
from siamtrt.libraries.images import SUFFIXES, images_of, read_image

KINDS = "a video, a folder of images, camera:N, csi:N, a URL (rtsp://...) or gst:PIPELINE; nv12: before it for NV12"
_DEFAULT_FPS = 30.0
_URL = re.compile(r"(rtsps?|rtmps?|https?|udp|tcp|srt)://.+")
_APPSINK = re.compile(r"!\s*appsink\b")

log = logging.getLogger(__name__)


class Source(Protocol):
    """A finite or endless run of frames.

    Attributes:
        count: how many frames there are, or None where that is not known.
        fps: frames a second to play them at.

    A frame is HxWx3 uint8 in BGR, or NV12. An unreadable image of a folder is None; a video that breaks off ends
    there, and says so.
    """

    count: int | None
    fps: float

    def frames(self) -> Iterator[Frame | None]:
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

    def frames(self) -> Iterator[Frame | None]:
        for path in self._paths:
            frame = read_image(path)
            if frame is None:
                log.warning("%s is not a readable image; the target is kept where it was", path)
            yield frame


class VideoSource:
    """What OpenCV's VideoCapture reads: a file, a camera, a URL, a pipeline.

    Args:
        capture: owned from now on.
        name: of the source, for messages.
        nv12: the capture is a pipeline that ends in NV12.

    Raises:
        UsageError: the capture is not open; later, that its frames are in no format that is known here.
    """

    def __init__(self, capture: cv2.VideoCapture, name: str, *, nv12: bool = False) -> None:
        if not capture.isOpened():
            raise UsageError(
                f"cannot open {name}",
                hint="is it a video that OpenCV reads, a camera that is free, a server that answers?",
            )
        self._capture, self._name, self._nv12 = capture, name, nv12
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.count = count if count > 0 else None
        self.fps = capture.get(cv2.CAP_PROP_FPS) or _DEFAULT_FPS

    def frames(self) -> Iterator[Frame | None]:
        seen = 0
        try:
            while True:
                grabbed, frame = self._capture.read()
                if not grabbed:
                    break
                seen += 1
                yield self._taken(frame)
        finally:
            self._capture.release()
        if seen == 0:
            raise UsageError(f"{self._name} holds no frame", hint="is the file whole?")
        if self.count is not None and seen < self.count:
            log.warning("%s broke off after %d of %d frames", self._name, seen, self.count)

    def _taken(self, frame: Array) -> Frame:
        """A frame as it was read: one plane of it may be grey, or brightness above colours."""
        if self._nv12:
            if frame.shape[1] % 4:
                raise UsageError(
                    f"{self._name} delivers NV12 {frame.shape[1]} pixels wide",
                    hint="a width that is a multiple of 4: GStreamer pads the rows of others",
                )
            return Nv12Frame(frame)
        if frame.ndim == 2 and frame.shape[0] != int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)):
            raise UsageError(
                f"{self._name} delivers brightness and colours apart",
                hint="nv12: before it, or let the pipeline end in videoconvert ! video/x-raw,format=BGR ! appsink",
            )
        return frame


class InNv12:
    """The frames of another source, converted to NV12 by the host: what a camera would deliver, without one."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.count, self.fps = source.count, source.fps

    def frames(self) -> Iterator[Frame | None]:
        for frame in self._source.frames():
            yield None if frame is None else Nv12Frame.of_bgr(as_bgr(frame))


def csi_pipeline(camera: int, *, nv12: bool = False) -> str:
    """The GStreamer pipeline that reads a Jetson's CSI camera: the newest 1280x720 frame, in BGR or as it comes, NV12.

    Source: NVIDIA, "Accelerated GStreamer", L4T 35; needs a board.
    """
    sensor = f"nvarguscamerasrc sensor-id={camera}"
    taken = "video/x-raw(memory:NVMM),width=1280,height=720,framerate=30/1,format=NV12"
    copied = "nvvidconv ! video/x-raw,format=BGRx ! videoconvert ! video/x-raw,format=BGR"
    if nv12:
        copied = "nvvidconv ! video/x-raw,format=NV12"
    return f"{sensor} ! {taken} ! {copied} ! appsink drop=true max-buffers=1"


def open_source(text: str) -> Source:
    """Open what ``--source`` names: a file, a folder, ``camera:N``, ``csi:N``, a URL or ``gst:PIPELINE``.

    ``nv12:`` before any of these makes it deliver NV12: a camera of ``csi:`` and a pipeline without another conversion,
    everything else converted by the host.

    Raises:
        UsageError: no such file, an empty folder, or something OpenCV cannot open.
        MissingDependencyError: a pipeline, but OpenCV was built without GStreamer.
    """
    kind, _, rest = text.partition(":")
    if kind == "nv12" and rest:
        return _open_nv12(rest)
    if kind == "camera" and rest.isdigit():
        return VideoSource(cv2.VideoCapture(int(rest)), text)
    if kind == "csi" and rest.isdigit():
        return open_source(f"gst:{csi_pipeline(int(rest))}")
    if kind == "gst" and rest:
        return VideoSource(_pipeline(rest), text)
    if _URL.fullmatch(text):
        return VideoSource(cv2.VideoCapture(text), text)
    path = Path(text)
    if path.is_dir():
        return FolderSource(path)
    if not path.is_file():
        raise UsageError(f"no such file or folder: {text}", hint=KINDS)
    return VideoSource(cv2.VideoCapture(str(path)), text)


def _open_nv12(text: str) -> Source:
    """What :func:`open_source` opens for ``nv12:`` and *text*."""
    kind, _, rest = text.partition(":")
    if kind == "csi" and rest.isdigit():
        return _open_nv12(f"gst:{csi_pipeline(int(rest), nv12=True)}")
    if kind != "gst" or not rest:
        return InNv12(open_source(text))
    # GStreamer itself proves then that the frames are NV12: an array alone looks like I420 too
    pipeline, count = _APPSINK.subn("! capsfilter caps=video/x-raw,format=NV12 ! appsink", rest)
    if count != 1:
        raise UsageError(f"the pipeline {rest} has {count} appsinks", hint="it ends in ! appsink")
    return VideoSource(_pipeline(pipeline), f"nv12:{text}", nv12=True)


def _pipeline(text: str) -> cv2.VideoCapture:
    if not re.search(r"GStreamer:\s+YES", cv2.getBuildInformation()):
        raise MissingDependencyError(
            "this OpenCV was built without GStreamer",
            hint="take JetPack's: pip uninstall opencv-python-headless, then sudo apt install libopencv-python",
        )
    return cv2.VideoCapture(text, cv2.CAP_GSTREAMER)
