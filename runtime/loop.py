"""The loop of a run: frames from a source, through the trackers of its targets, into sinks."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from typing import Protocol

from runtime.followed import Followed
from runtime.frames import Frame
from runtime.tracker import TrackerState

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Takes what is known after each frame: a file, a topic, a page."""

    def add(self, frame: Frame | None, states: Sequence[TrackerState]) -> None:
        """Take one frame.

        Args:
            frame: in BGR (HxWx3 uint8) or NV12, not to be changed; None for a frame that could not be read.
            states: one a target, none before the first; where there is no frame, those of the frame before.

        Raises:
            ArtifactError: it cannot be written.
        """

    def close(self) -> None:
        """Finish what was taken; called after an error too."""


def run(frames: Iterable[Frame | None], followed: Followed, sinks: Sequence[Sink]) -> None:
    """Follow the targets through *frames*; None among them is a frame that could not be read, and moves no target.

    Args:
        frames: the first one with a target must be there.
        followed: targets may join and leave between frames; it stays the caller's, as the sinks do.
        sinks: take each frame in this order.

    Raises:
        PipelineError: of a tracker or a sink.
    """
    states: list[TrackerState] = []
    count, started_ns = 0, 0
    try:
        for frame in frames:
            if frame is not None:
                states = followed.follow(frame) if followed.count else []
            started_ns = started_ns or time.perf_counter_ns()  # the targets have been taken
            for sink in sinks:
                sink.add(frame, states)
            count += 1
    finally:
        if count:
            seconds = (time.perf_counter_ns() - started_ns) / 1e9
            log.info("tracked %d frames in %.1f s, %.1f FPS with reading and writing", count, seconds, count / seconds)
