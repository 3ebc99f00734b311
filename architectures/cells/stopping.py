"""When a search is over: its best epoch is the one of the smallest loss on pairs that nothing learned from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from siamtrt import InferenceError


@dataclass(frozen=True)
class Rule:
    """Epochs are numbered from 1.

    Attributes:
        warmup: epochs that cannot be the best: the architecture has not moved yet.
        patience: so many epochs without a better one end the search.
    """

    warmup: int
    patience: int

    def best(self, losses: Sequence[float]) -> int | None:
        """The epoch of the smallest of *losses*, of equals the first; None within the warm-up.

        Raises:
            InferenceError: one is no number.
        """
        for epoch, loss in enumerate(losses, start=1):
            if not math.isfinite(loss):
                raise InferenceError(f"the loss on the held-out pairs is {loss} after epoch {epoch}", hint="a lower lr")
        epochs = range(self.warmup + 1, len(losses) + 1)
        return min(epochs, key=lambda epoch: losses[epoch - 1], default=None)

    def is_over(self, losses: Sequence[float]) -> bool:
        """Whether the search ends here."""
        best = self.best(losses)
        return best is not None and len(losses) - best >= self.patience
