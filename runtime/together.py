"""Several targets in one frame: in a batch where their engines take one, beside each other on threads, or in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from typing import Protocol

from runtime.frames import Frame
from runtime.locator import Located, Locator
from runtime.matcher import Color, StageTimes
from siamtrt import ModelCard
from siamtrt.geometry import Square


@dataclass(frozen=True)
class Asked:
    """What a locator is asked about a frame, see :meth:`runtime.locator.Locator.locate`."""

    square: Square
    fill: Color
    last_size: tuple[float, float]


class Batch(Protocol):
    """Engines with a place for each of some targets."""

    @property
    def card(self) -> ModelCard:
        """The model they run."""

    def take(self) -> int:
        """Take a place for one more target."""

    def remember(self, place: int, frame: Frame, square: Square, fill: Color) -> StageTimes:
        """Take the target of a place, see :meth:`runtime.locator.Locator.remember`."""

    def locate(self, frame: Frame, asked: dict[int, Asked]) -> list[Located]:
        """Locate the targets of some places, in their order; all squares are of one ``out_px``.

        The times are the share of one target: those of the run over how many were asked for.

        Raises:
            InferenceError: the backend failed, a target was not remembered, or the scores are no numbers.
        """

    def release(self, place: int) -> None:
        """Give a place back; with the last one that was taken all is freed."""


class OneOfBatch:
    """The :class:`runtime.locator.Locator` of one place."""

    def __init__(self, batch: Batch) -> None:
        self.batch, self.place = batch, batch.take()

    @property
    def card(self) -> ModelCard:
        return self.batch.card

    def remember(self, frame: Frame, square: Square, fill: Color) -> StageTimes:
        return self.batch.remember(self.place, frame, square, fill)

    def locate(self, frame: Frame, square: Square, fill: Color, last_size: tuple[float, float]) -> Located:
        (located,) = self.batch.locate(frame, {self.place: Asked(square, fill, last_size)})
        return located

    def close(self) -> None:
        self.batch.release(self.place)


class Beside:
    """A :class:`runtime.locator.Locator` that runs while others do.

    Args:
        locator: owned from now on; it leaves Python's lock while it computes.
        threads: shared with the others, as many as are to run at a time.
    """

    def __init__(self, locator: Locator, threads: Executor) -> None:
        self._locator, self._threads = locator, threads

    @property
    def card(self) -> ModelCard:
        return self._locator.card

    def remember(self, frame: Frame, square: Square, fill: Color) -> StageTimes:
        return self._locator.remember(frame, square, fill)

    def locate(self, frame: Frame, square: Square, fill: Color, last_size: tuple[float, float]) -> Located:
        return self._locator.locate(frame, square, fill, last_size)

    def begin(self, frame: Frame, asked: Asked) -> Future[Located]:
        """Locate as soon as a thread is free."""
        return self._threads.submit(self.locate, frame, asked.square, asked.fill, asked.last_size)

    def close(self) -> None:
        self._locator.close()


def in_batches(open_batch: Callable[[], Batch], count: int) -> list[Locator]:
    """Locators for *count* targets in as many batches as they take."""
    locators: list[Locator] = []
    while len(locators) < count:
        batch = open_batch()
        locators += [OneOfBatch(batch) for _ in range(min(batch.card.targets, count - len(locators)))]
    return locators


def locate_all(frame: Frame, asked: Sequence[tuple[Locator, Asked]]) -> list[Located]:
    """Ask each locator about *frame*; answers in their order.

    Raises:
        InferenceError: see :meth:`runtime.locator.Locator.locate`.
    """
    answers: dict[int, Located] = {}
    rounds: dict[tuple[int, int], _Round] = {}
    running: dict[int, Future[Located]] = {}
    for index, (locator, one) in enumerate(asked):
        if isinstance(locator, OneOfBatch):
            key = (id(locator.batch), one.square.out_px)
            joint = rounds.setdefault(key, _Round(locator.batch, {}, []))
            joint.asked[locator.place] = one
            joint.indices.append(index)
        elif isinstance(locator, Beside) and len(asked) > 1:
            running[index] = locator.begin(frame, one)
        else:
            answers[index] = locator.locate(frame, one.square, one.fill, one.last_size)
    for joint in rounds.values():
        answers.update(zip(joint.indices, joint.batch.locate(frame, joint.asked)))
    wait(running.values())  # all of them, so that none runs on where one has failed
    answers.update((index, future.result()) for index, future in running.items())
    return [answers[index] for index in range(len(asked))]


@dataclass(frozen=True)
class _Round:
    """What one batch is asked in one run, and where its answers belong."""

    batch: Batch
    asked: dict[int, Asked]
    indices: list[int]
