"""The image topic as a source of frames: the newest image, with the header it came with."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from runtime.frames import Frame
from siamtrt import Array, PipelineError

_POLL_S = 0.2

log = logging.getLogger(__name__)


class Camera:
    """A :class:`runtime.sources.Source` without an end but ``close``.

    Args:
        decode: makes a frame of a message; on the thread that iterates over the frames.

    Attributes:
        received: how many images came.
        unreadable: how many of them were no frames.
    """

    def __init__(self, decode: Callable[[Any], Array]) -> None:
        self.count: int | None = None
        self.fps = 30.0
        self.received = self.unreadable = 0
        self._decode = decode
        self._newest: Any = None
        self._changed = threading.Condition()
        self._closed = False
        self._headers: dict[int, Any] = {}  # by the frame's id, for as long as somebody has the frame

    def offer(self, message: Any) -> None:
        """Take an image in place of one that nobody took; from any thread."""
        with self._changed:
            self.received += 1
            self._newest = message
            self._changed.notify()

    def close(self) -> None:
        """End the frames."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def frames(self) -> Iterator[Array | None]:
        while True:
            with self._changed:
                while self._newest is None and not self._closed:
                    self._changed.wait(_POLL_S)
                if self._closed:
                    return
                message, self._newest = self._newest, None
            yield self._frame(message)

    def header_of(self, frame: Frame) -> Any:
        """The header of the image that *frame*, which came of ``frames``, was made of."""
        return self._headers[id(frame)]

    def _frame(self, message: Any) -> Array | None:
        try:
            frame = self._decode(message)
        except PipelineError as error:
            if not self.unreadable:
                log.warning("an image is left out, as others like it will be: %s", error.problem)
            self.unreadable += 1
            return None
        self._headers[id(frame)] = message.header
        weakref.finalize(frame, self._headers.pop, id(frame))
        return frame
