"""What one search found, epoch by epoch: a JSON file that is written whole after each of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Tuple

import numpy as np

from architectures.cells.stopping import Rule
from networks.genotype import OPERATIONS, WEIGHT_FREE, Genotype, softmax, strongest
from siamtrt import Array, UsageError
from siamtrt.documents import Format

FORMAT = Format("a record of a search", schema=1, hint="python -m architectures cells search", kind="cells")

# Run-time annotations: the file is read back by them.


@dataclass(frozen=True)
class Epoch:
    """One epoch.

    Attributes:
        number: from 1.
        loss: of the mixed cell on the held-out pairs, without dropout.
        derived_loss: of the cell that the numbers mean, with the same weights.
        alpha: the numbers, edges x operations.
        look_ahead: mean length of what the look ahead adds to the gradient, relative to the rest; zero in the warm-up.
        seconds: that it took, of this and no earlier run.
    """

    number: int
    loss: float
    derived_loss: float
    alpha: Tuple[Tuple[float, ...], ...]
    look_ahead: float
    seconds: float

    @property
    def numbers(self) -> Array:
        """``alpha`` as an array."""
        return np.array(self.alpha)

    @property
    def weight_free(self) -> float:
        """Mean share of operations without weights over the edges, 0..1."""
        columns = [tuple(OPERATIONS).index(name) for name in WEIGHT_FREE]
        return float(softmax(self.numbers)[:, columns].sum(1).mean())


@dataclass(frozen=True)
class Record:
    """One search.

    Attributes:
        seed: of everything drawn.
        channels: of the cell.
        warmup: epochs before the architecture moves.
        epochs: those that are done.
    """

    seed: int
    channels: int
    warmup: int
    epochs: Tuple[Epoch, ...] = ()

    @property
    def losses(self) -> list[float]:
        """The held-out losses of the mixed cell, epoch by epoch."""
        return [epoch.loss for epoch in self.epochs]

    @property
    def best(self) -> Epoch:
        """The epoch of the smallest loss behind the warm-up, of equals the first.

        Raises:
            UsageError: the architecture has not moved yet.
        """
        number = Rule(self.warmup, patience=1).best(self.losses)
        if number is None:
            raise UsageError(f"the search has done {len(self.epochs)} epochs, all of its warm-up", hint="search on")
        return self.epochs[number - 1]

    @property
    def genotype(self) -> Genotype:
        """The cell of the best epoch."""
        return strongest(self.best.numbers, self.channels)

    def epoch(self, number: int) -> Epoch:
        """Epoch *number*.

        Raises:
            UsageError: it was not reached.
        """
        if not 1 <= number <= len(self.epochs):
            raise UsageError(f"the record has the epochs 1 to {len(self.epochs)}, not {number}")
        return self.epochs[number - 1]

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        FORMAT.save(path, asdict(self), indent=None)

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read a record.

        Raises:
            ArtifactError: it is absent or no record.
        """
        return FORMAT.read(path, cls)
