"""Policies that need no measurement of the machine: by number, by chance, by score, and as it was before."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from runtime.policies.policy import Scores, Value, conditional, exceeds, meets
from siamtrt import UsageError

_SUM_TOLERANCE = 1e-6
_BLOCK = 20  # frames


class Fixed:
    """Always the same exit.

    Args:
        number: of the exit.
        count: how many there are.

    Raises:
        UsageError: there is no such exit.
    """

    def __init__(self, number: int, count: int) -> None:
        if not 1 <= number <= count:
            raise UsageError(f"there is no exit {number}", hint=f"1 to {count}")
        self._number = number

    def reset(self) -> None:
        pass

    def start_depth(self) -> int:
        return self._number

    def halts(self, number: int, scores: Scores, elapsed_ns: int) -> bool:  # noqa: ARG002  of the seam
        return number >= self._number

    def observe(self, number: int, scores: Scores) -> None:
        pass


class Random:
    """Each frame an exit by chance: what a policy is worth that looks at nothing.

    Each twenty frames have the shares as nearly as they can, so that short videos have them too.

    Args:
        seed: the same seed gives the same exits for each target.
        mix: the share of each exit.
        count: how many exits there are.

    Raises:
        UsageError: the shares are not one an exit, negative, or do not sum to one.
    """

    def __init__(self, seed: int, mix: Sequence[float], count: int) -> None:
        if len(mix) != count or min(mix) < 0 or not abs(sum(mix) - 1) < _SUM_TOLERANCE:
            raise UsageError(f"the mix {list(mix)} is not {count} shares that sum to one", hint="random:0:0.5,0.3,0.2")
        self._seed, self._bounds, self._number = seed, np.cumsum(mix), count
        self.reset()

    def reset(self) -> None:
        self._rng = np.random.default_rng(self._seed)
        self._drawn: list[float] = []

    def start_depth(self) -> int:
        if not self._drawn:
            self._drawn = ((self._rng.permutation(_BLOCK) + self._rng.random(_BLOCK)) / _BLOCK).tolist()
        drawn = int(np.searchsorted(self._bounds, self._drawn.pop(), side="right")) + 1
        self._number = min(drawn, len(self._bounds))
        return self._number

    def halts(self, number: int, scores: Scores, elapsed_ns: int) -> bool:  # noqa: ARG002  of the seam
        return number >= self._number

    def observe(self, number: int, scores: Scores) -> None:
        pass


class Threshold:
    """The first exit whose score is high enough.

    Args:
        score: name of the score.
        thetas: the threshold of each exit but the last.
        value: what is compared, of the scores passed so far.
        strict: the value has to exceed the threshold, not to meet it.
    """

    def __init__(
        self, score: str, thetas: Sequence[float], value: Value = conditional, *, strict: bool = False
    ) -> None:
        self._score, self._thetas, self._value = score, tuple(thetas), value
        self._compare = exceeds if strict else meets
        self._survived = 1.0

    def reset(self) -> None:
        self._survived = 1.0

    def start_depth(self) -> int:
        self._survived = 1.0
        return 1

    def halts(self, number: int, scores: Scores, elapsed_ns: int) -> bool:  # noqa: ARG002  of the seam
        if number > len(self._thetas):
            return True
        gate = scores[self._score]
        value, self._survived = self._value(self._survived, gate), self._survived * (1 - gate)
        return self._compare(value, self._thetas[number - 1])

    def observe(self, number: int, scores: Scores) -> None:
        pass


class Replay:
    """The exits of an earlier run again, frame by frame.

    Args:
        exits: of each frame after the one that the target was given in.
        count: how many exits there are.

    Raises:
        UsageError: an exit does not exist.
    """

    def __init__(self, exits: Sequence[int], count: int) -> None:
        if not exits or not 1 <= min(exits) <= max(exits) <= count:
            raise UsageError(
                f"a replay takes exits from 1 to {count}", hint="the boxes.jsonl of a run of these engines"
            )
        self._exits, self._frame = tuple(exits), 0

    def reset(self) -> None:
        self._frame = 0

    def start_depth(self) -> int:
        """The exit of this frame.

        Raises:
            UsageError: the earlier run had fewer frames.
        """
        if self._frame >= len(self._exits):
            raise UsageError(f"the run that is replayed ends after {len(self._exits)} frames", hint="the same video")
        self._frame += 1
        return self._exits[self._frame - 1]

    def halts(self, number: int, scores: Scores, elapsed_ns: int) -> bool:  # noqa: ARG002  of the seam
        return number >= self._exits[self._frame - 1]

    def observe(self, number: int, scores: Scores) -> None:
        pass
