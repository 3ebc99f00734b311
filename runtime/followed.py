"""The targets that are followed together, a tracker each; they may join and leave between frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from runtime.frames import Frame, as_frame
from runtime.together import locate_all
from runtime.tracker import Tracker, TrackerState
from siamtrt import BoundingBox, UsageError


def update_all(trackers: Sequence[Tracker], frame: Frame) -> list[TrackerState]:
    """Find the target of each tracker in the next *frame*, at once where their engines take a batch.

    Raises:
        UsageError: see :meth:`Tracker.update`.
        InferenceError: the backend failed.
    """
    frame = as_frame(frame)
    located = locate_all(frame, [(tracker.locator, tracker.asked(frame)) for tracker in trackers])
    return [tracker.moved_by(one) for tracker, one in zip(trackers, located)]


class Followed:
    """Follows the targets that were added, in their order. Trackers stay open for later targets until it is left.

    Args:
        open_trackers: opens so many trackers, which share their engines where the backend can.
    """

    def __init__(self, open_trackers: Callable[[int], list[Tracker]]) -> None:
        self._open = open_trackers
        self._stack = ExitStack()
        self._trackers: list[Tracker] = []
        self._active = 0
        self._waiting: list[BoundingBox] = []

    def __enter__(self) -> Followed:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def make_room(self, count: int) -> None:
        """Open what *count* targets need beyond what is open."""
        missing = count - len(self._trackers)
        if missing > 0:
            self._trackers += map(self._stack.enter_context, self._open(missing))

    def add(self, box: BoundingBox) -> None:
        """Take *box* in the next frame as a target."""
        self._waiting.append(box)

    @property
    def count(self) -> int:
        """How many targets there are, those of the next frame included."""
        return self._active + len(self._waiting)

    def remove(self, index: int) -> None:
        """Forget the target at *index* of :meth:`follow`'s states; those after it move up.

        Raises:
            IndexError: there is none.
        """
        if index >= self._active:
            del self._waiting[index - self._active]
            return
        self._trackers.append(self._trackers.pop(index))  # stays open, behind those that are in use
        self._active -= 1

    def clear(self) -> None:
        """Forget all targets."""
        self._active = 0
        self._waiting.clear()

    def follow(self, frame: Frame) -> list[TrackerState]:
        """Find the targets in *frame* (BGR or NV12), and start those that were added since the last one.

        Raises:
            UsageError: there is none; or see :class:`Tracker`.
            InferenceError: the backend failed.
        """
        if not self.count:
            raise UsageError("there is no target yet", hint="name one before the first frame")
        states = update_all(self._trackers[: self._active], frame)
        self.make_room(self.count)
        states += [self.start(frame, box) for box in self._waiting]
        self._waiting.clear()
        return states

    def start(self, frame: Frame, box: BoundingBox) -> TrackerState:
        """Take *box* in *frame* (HxWx3 uint8 in BGR, or NV12) as a further target, at once; the others are not moved.

        Raises:
            UsageError: see :meth:`runtime.tracker.Tracker.start`.
            InferenceError: the backend failed.
        """
        self.make_room(self._active + 1)
        state = self._trackers[self._active].start(frame, box)
        self._active += 1
        return state
