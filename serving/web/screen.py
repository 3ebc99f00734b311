"""The newest frame, for as many viewers as want it; the tracker never waits for one of them."""

from __future__ import annotations

import asyncio
import json
import os
import struct
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2

from runtime.frames import as_bgr
from runtime.results import fields
from serving.live.shown import Shown

_JPEG_QUALITY = 80
_NICENESS = 10  # where cores are short, the tracker goes before the pictures of it


class Screen:
    """Holds the newest :class:`serving.live.shown.Shown`, and encodes each at most once, on a thread of its own.

    ``show`` may be called from any thread; the rest belongs to the event loop that called ``open``.
    """

    def __init__(self) -> None:
        self._newest: Shown | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._encoded: tuple[Shown, asyncio.Future[bytes]] | None = None
        self._encoder = ThreadPoolExecutor(1, "encoder", _step_back)

    def open(self) -> None:
        """Let the viewers of the running event loop see what is shown."""
        self._loop = asyncio.get_running_loop()

    def close(self) -> None:
        """Show nothing any more."""
        self._loop = None
        self._encoder.shutdown(wait=False)

    def show(self, shown: Shown) -> None:
        """Take *shown* as the newest; returns at once."""
        self._newest = shown
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._wake)

    async def after(self, seen: Shown | None) -> Shown:
        """The newest, once it is another than *seen*."""
        while self._newest is None or self._newest is seen:
            change = asyncio.get_running_loop().create_future()
            self._waiting.append(change)
            await change
        return self._newest

    async def encoded(self, shown: Shown) -> bytes:
        """The message of *shown*: how long the JSON is as 4 bytes, little-endian; the JSON; the frame as JPEG."""
        if self._encoded is None or self._encoded[0] is not shown:
            self._encoded = shown, asyncio.get_running_loop().run_in_executor(self._encoder, encode, shown)
        return await asyncio.shield(self._encoded[1])

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for change in waiting:
            if not change.done():  # a viewer that is gone no longer waits
                change.set_result(None)


def encode(shown: Shown) -> bytes:
    """The message of *shown*, see :meth:`Screen.encoded`."""
    targets = [{"target": number, **fields(shown.number, state)} for number, state in shown.targets]
    height, width = shown.frame.shape[:2]
    note = {"frame": shown.number, "size": [width, height], "targets": targets, **shown.status}
    text = json.dumps(note).encode()
    _, picture = cv2.imencode(".jpg", as_bgr(shown.frame), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return struct.pack("<I", len(text)) + text + picture.tobytes()


def _step_back() -> None:
    """Give the running thread a lower priority, which Linux has for each thread."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + _NICENESS)
