"""A live page of stub trackers, for the tests of its parts."""

from __future__ import annotations

import contextlib
import threading
import time

import numpy as np

from runtime.followed import Followed
from serving.live.live import Live
from serving.web.screen import Screen
from serving.web.server import Server
from tests.runtime.stub import StubMatcher, card, tracker_of

FRAME = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
ABOUT = {"model": "stub", "backend": "none", "precision": "fp32", "source": "memory", "frames": None}


class Memory:
    """A source of frames in memory; *count* None makes it a camera."""

    def __init__(self, frames, count=None, fps=200.0):
        self._frames, self.count, self.fps = frames, count, fps

    def frames(self):
        return iter(self._frames)


def endless(period_s=0.002):
    """Frames of a camera."""
    while True:
        time.sleep(period_s)
        yield FRAME


def stub_trackers(count):
    return [tracker_of(StubMatcher(card())) for _ in range(count)]


@contextlib.contextmanager
def playing(reopen, folder, show, open_trackers=stub_trackers):
    """A Live that runs on a thread of its own within the block."""
    with Followed(open_trackers) as followed:
        live = Live(reopen, followed, folder, show)
        thread = threading.Thread(target=live.run)
        thread.start()
        try:
            yield live
        finally:
            live.stop()
            thread.join(10)
            live.close()
            assert not thread.is_alive()


@contextlib.contextmanager
def serving(folder, source=None, token=None, open_trackers=stub_trackers, frames=None):
    """A server of a running Live, whose ``url`` has the port."""
    screen = Screen()
    reopen = source or (lambda: Memory(endless()))
    about = {**ABOUT, "frames": frames}
    with playing(reopen, folder, screen.show, open_trackers) as live, Server(
        screen, live.ask, about, folder, host="127.0.0.1", port=0, token=token
    ) as server:
        yield server
