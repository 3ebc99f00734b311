"""Draw boxes into pictures, and write pictures as a video."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2

from runtime.frames import Frame, as_bgr
from runtime.nv12 import Nv12Frame
from runtime.tracker import TrackerState
from siamtrt import Array, ArtifactError, BoundingBox
from siamtrt.files import write_error

GREEN, RED, WHITE, YELLOW = (80, 220, 80), (60, 60, 240), (255, 255, 255), (80, 220, 250)
_H264, _MPEG4 = cv2.VideoWriter.fourcc(*"avc1"), cv2.VideoWriter.fourcc(*"mp4v")
_STANDARD_ERROR = 2
_TEXT_SCALE, _GROUND = 0.65, (30, 30, 30)

log = logging.getLogger(__name__)


def label_of(state: TrackerState) -> str:
    """The score, and the exit of a model that has some; empty in the frame that the target was given in."""
    if state.score is None:
        return ""
    return f"{state.score:.2f}" + (f" exit {state.exit.number}/{state.exit.count}" if state.exit else "")


def draw_box(frame: Array, box: BoundingBox, color: tuple[int, int, int], label: str = "") -> None:
    """Draw *box* and a label above it into *frame* (HxWx3 uint8, BGR), in place."""
    corner = (round(box.x), round(box.y))
    cv2.rectangle(frame, corner, (round(box.x + box.width), round(box.y + box.height)), color, 2, cv2.LINE_AA)
    if label:
        draw_text(frame, label, (max(0, corner[0]), max(0, corner[1] - 26)), color)


def draw_text(frame: Array, text: str, corner: tuple[int, int], color: tuple[int, int, int] = WHITE) -> None:
    """Write *text* on a dark ground, 24 pixels high, whose upper left is *corner*, into *frame*, in place."""
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, _TEXT_SCALE, 1)
    x, y = corner
    cv2.rectangle(frame, corner, (x + width + 8, y + 23), _GROUND, cv2.FILLED)
    cv2.putText(frame, text, (x + 4, y + 18), cv2.FONT_HERSHEY_SIMPLEX, _TEXT_SCALE, color, 1, cv2.LINE_AA)


class VideoWriter:
    """Writes an MP4 whose size is that of its first frame; it appears under its name when it is closed.

    H.264 where OpenCV has an encoder of it, else MPEG-4 part 2.

    Args:
        path: ends in ``.mp4``.
        fps: frames a second.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self._path, self._fps = path, fps
        self._partial = path.with_name(f".{path.stem}.partial{path.suffix}")
        self._writer: cv2.VideoWriter | None = None

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the video its name; there is none where nothing was written."""
        if self._writer is not None:
            self._writer.release()
            self._partial.replace(self._path)

    def write(self, frame: Array) -> None:
        """Append *frame* (HxWx3 uint8, BGR).

        Raises:
            ArtifactError: OpenCV cannot write a video here.
        """
        if self._writer is None:
            self._writer = self._opened((frame.shape[1], frame.shape[0]))
        self._writer.write(frame)

    def _opened(self, size: tuple[int, int]) -> cv2.VideoWriter:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(self._path, error) from error
        with _nothing_said():  # OpenCV and FFmpeg complain in four lines of their own
            writer = cv2.VideoWriter(str(self._partial), _H264, self._fps, size)
        if not writer.isOpened():
            log.info("%s is in MPEG-4 part 2 (mp4v), which browsers do not play: OpenCV has no H.264 here", self._path)
            writer = cv2.VideoWriter(str(self._partial), _MPEG4, self._fps, size)
        if not writer.isOpened():
            raise ArtifactError(f"OpenCV cannot write {self._path}", hint="leave out --annotate, or free some space")
        return writer


@contextlib.contextmanager
def _nothing_said() -> Iterator[None]:
    """Close the mouth of C libraries, which write to standard error past Python."""
    with contextlib.ExitStack() as stack:
        before, nowhere = os.dup(_STANDARD_ERROR), os.open(os.devnull, os.O_WRONLY)
        stack.callback(os.close, nowhere)
        stack.callback(os.close, before)
        stack.callback(os.dup2, before, _STANDARD_ERROR)
        os.dup2(nowhere, _STANDARD_ERROR)
        yield


class VideoSink:
    """A :class:`runtime.loop.Sink` that draws the boxes into the frames, a lost target's in red, and writes a video.

    Args:
        path: ends in ``.mp4``.
        fps: frames a second.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self._video = VideoWriter(path, fps)

    def add(self, frame: Frame | None, states: Sequence[TrackerState]) -> None:
        if frame is not None:
            canvas = as_bgr(frame) if isinstance(frame, Nv12Frame) else frame.copy()
            for state in states:
                draw_box(canvas, state.box, RED if state.lost else GREEN, label_of(state))
            self._video.write(canvas)

    def close(self) -> None:
        self._video.close()
