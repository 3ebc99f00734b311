"""The targets of a TraX client: a tracker each, kept open when the client drops them and starts others."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Callable, List, Optional, Type

from runtime.tracker import Tracker, TrackerState
from siamtrt import Array, BoundingBox, UsageError


class Targets:
    """Follows the targets that were added, in their order.

    Args:
        opened: opens a tracker; called at once, and again for each further target. The trackers are closed on leaving.
    """

    def __init__(self, opened: Callable[[], Tracker]) -> None:
        self._opened = opened
        self._stack = ExitStack()
        self._trackers: List[Tracker] = [self._stack.enter_context(opened())]
        self._followed = 0
        self._waiting: List[BoundingBox] = []

    def __enter__(self) -> Targets:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._stack.close()

    def clear(self) -> None:
        """Forget all targets."""
        self._followed = 0
        self._waiting.clear()

    def add(self, box: BoundingBox) -> None:
        """Take *box* in the next frame as a target."""
        self._waiting.append(box)

    def follow(self, frame: Array) -> List[TrackerState]:
        """Find the targets in *frame* (HxWx3 uint8, BGR), and start those that were added since the last one.

        Raises:
            UsageError: there is none; or see :class:`Tracker`.
            InferenceError: the backend failed.
        """
        if not self._followed and not self._waiting:
            raise UsageError("there is no target yet", hint="send initialize with a region before frame")
        states = [tracker.update(frame) for tracker in self._trackers[: self._followed]]
        for box in self._waiting:
            if self._followed == len(self._trackers):
                self._trackers.append(self._stack.enter_context(self._opened()))
            states.append(self._trackers[self._followed].start(frame, box))
            self._followed += 1
        self._waiting.clear()
        return states
