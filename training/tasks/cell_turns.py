"""Which step of a search for a cell is what, and the batches that it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from siamtrt import UsageError
from training.batches import Batch


@dataclass(frozen=True)
class Turn:
    """What one step learns from.

    Attributes:
        epoch: from 1.
        training: pairs for the weights; an architecture step looks at them too, for its look ahead.
        validation: pairs for the architecture; None in a step of the weights.
    """

    epoch: int
    training: Batch
    validation: Batch | None


@dataclass(frozen=True)
class Schedule:
    """Which step is what: epochs of the weights alone, then two steps a pair of batches, the architecture's first."""

    epoch_steps: int
    warmup_epochs: int

    def last_step(self, epoch: int) -> int:
        """How many steps are done when *epoch*, from 1, is."""
        return self.epoch_steps * (epoch + max(0, epoch - self.warmup_epochs))

    def turn(self, step: int) -> tuple[int, int, bool]:
        """Epoch, number of the training batch, and whether the architecture moves, of *step* from 0."""
        alone = self.last_step(self.warmup_epochs)
        if step < alone:
            return step // self.epoch_steps + 1, step, False
        batch, second = divmod(step - alone, 2)
        return self.warmup_epochs + batch // self.epoch_steps + 1, alone + batch, second == 0


class Stream:
    """Batches by their number, each asked for in order and perhaps more than once."""

    def __init__(self, drawn: Iterator[Batch], first: int) -> None:
        self._drawn, self._number = drawn, first - 1
        self._latest: Batch | None = None

    def at(self, number: int) -> Batch:
        """Batch *number*, which is the latest one or one behind it."""
        while self._latest is None or self._number < number:
            self._latest, self._number = next(self._drawn), self._number + 1
        return self._latest


def epochs_of(steps: int, schedule: Schedule) -> int:
    """How many epochs *steps* are.

    Raises:
        UsageError: they are not whole epochs.
    """
    epochs = 1
    while schedule.last_step(epochs) < steps:
        epochs += 1
    if schedule.last_step(epochs) != steps:
        raise UsageError(
            f"steps = {steps} is no whole number of epochs",
            hint=f"steps = {schedule.last_step(epochs)}: epoch_steps an epoch, twice as many behind the warm-up",
        )
    return epochs
