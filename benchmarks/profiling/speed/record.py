"""The clock around the tracker's calls, and frames decoded ahead so that nothing else runs between them."""

from __future__ import annotations

import time
from bisect import bisect
from dataclasses import dataclass, field
from typing import Iterable, Protocol

from benchmarks.profiling.power.energy import Window
from benchmarks.profiling.speed.call_times import Call
from runtime.tracker import TrackerState
from sequences.sequence import Sequence
from siamtrt import Array, BoundingBox


def stretches(calls: Iterable[Call], paused_ns: list[int]) -> list[Window]:
    """Start and end of each row of calls between which nothing was decoded.

    Args:
        calls: in the order of time.
        paused_ns: when each decoding began, in the order of time.
    """
    windows: list[Window] = []
    for call in calls:
        ended_ns = call.began_ns + call.total_ns
        if windows and bisect(paused_ns, call.began_ns) == bisect(paused_ns, windows[-1][1]):
            windows[-1] = (windows[-1][0], ended_ns)
        else:
            windows.append((call.began_ns, ended_ns))
    return windows


class Timed(Protocol):
    """What is timed: a tracker."""

    def start(self, frame: Array, box: BoundingBox) -> TrackerState:
        """Start as :meth:`runtime.tracker.Tracker.start` does."""

    def update(self, frame: Array) -> TrackerState:
        """Go on as :meth:`runtime.tracker.Tracker.update` does."""


class Recorder:
    """A tracker that keeps the times of each call.

    Args:
        tracker: not owned.
    """

    def __init__(self, tracker: Timed) -> None:
        self._tracker = tracker
        self._calls: list[Call] = []

    def start(self, frame: Array, box: BoundingBox) -> None:
        began_ns = time.perf_counter_ns()
        state = self._tracker.start(frame, box)
        ended_ns = time.perf_counter_ns()
        self._calls.append(Call(True, began_ns, ended_ns - began_ns, state.times))

    def update(self, frame: Array) -> BoundingBox:
        began_ns = time.perf_counter_ns()
        state = self._tracker.update(frame)
        ended_ns = time.perf_counter_ns()
        self._calls.append(Call(False, began_ns, ended_ns - began_ns, state.times))
        return state.box

    def take(self) -> tuple[Call, ...]:
        """The calls since this was asked last."""
        calls = tuple(self._calls)
        self._calls.clear()
        return calls


@dataclass(frozen=True)
class Preloaded(Sequence):
    """A sequence whose frames are decoded block by block, so that a block is tracked without a pause.

    Attributes:
        block_bytes: how much memory a block may take; one frame at least.
        paused_ns: when the decoding of each block began, monotonic.
        block: the frames in memory, by index.
    """

    block_bytes: int = 0
    paused_ns: list[int] = field(default_factory=list)
    block: dict[int, Array] = field(default_factory=dict)

    def frame(self, index: int) -> Array:
        """Read an image; decodes the next block where *index* is in none."""
        if index not in self.block:
            self._load(index)
        return self.block[index]

    def _load(self, first: int) -> None:
        self.block.clear()
        self.paused_ns.append(time.perf_counter_ns())
        free_bytes = self.block_bytes
        for index in range(first, len(self)):
            frame = super().frame(index)
            self.block[index] = frame
            free_bytes -= frame.nbytes
            if free_bytes < frame.nbytes:
                return
