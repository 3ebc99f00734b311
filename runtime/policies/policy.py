"""The seam between a cascade of stages and who decides where it stops, and the rule that thresholds follow.

Exits are numbered from 1; the last one always halts, whatever a policy says.
"""

from __future__ import annotations

from typing import Callable, Mapping, Protocol

Scores = Mapping[str, float]  # what an exit says of itself, by the names on the model card, each 0..1


class ExitPolicy(Protocol):
    """Decides for one target, frame after frame."""

    def reset(self) -> None:
        """A new target: forget what was seen."""

    def start_depth(self) -> int:
        """The exit that the next frame runs to without being asked; called once a frame."""

    def halts(self, number: int, scores: Scores, elapsed_ns: int) -> bool:
        """Whether to stop at exit *number*; asked of each exit that ran, in order, the last one of all left out.

        Below the depth that the frame starts at the answer counts for nothing, but what is said there may count later.

        Args:
            number: of the exit that is reached.
            scores: what it says of itself.
            elapsed_ns: since the frame was begun.
        """

    def observe(self, number: int, scores: Scores) -> None:
        """Exit *number* was taken, with these scores of its own."""


def meets(value: float, theta: float) -> bool:
    """The rule: whether an exit of this *value* stops at the threshold *theta*.

    A threshold of 0 or less always stops, one of 1 or more never does, without a look at the value, which rounding
    may have made exactly 1; a value that is no number never stops.
    """
    return theta <= 0 or (theta < 1 and value >= theta)


def exceeds(value: float, theta: float) -> bool:
    """The same with "greater than", as Ying and Fragkiadaki (2017) compare."""
    return theta <= 0 or (theta < 1 and value > theta)


# How the gates g of the exits passed so far become the value that is compared: (survived so far, g) -> value, where
# survived is the product of 1 - g over the exits before.
Value = Callable[[float, float], float]


def conditional(_survived: float, gate: float) -> float:
    """The gate itself: how sure this exit is, given that none stopped before."""
    return gate


def cumulative(survived: float, gate: float) -> float:
    """The probability that this exit or one before it stops."""
    return 1 - survived * (1 - gate)


def budgeted(survived: float, gate: float) -> float:
    """The paper's: the probability that just this exit stops, which shrinks with the exits passed."""
    return survived * gate
