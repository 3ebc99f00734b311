"""Policies around a policy: a memory of the last frames, a deadline, a bucket of energy."""

from __future__ import annotations

from typing import Sequence

from runtime.policies.policy import ExitPolicy, Scores
from siamtrt import UsageError

_LOST_BELOW = 0.3  # a best probability this low is no answer


class Hysteresis:
    """Starts each frame at a depth that rises at once when the score falls, and sinks after some calm frames.

    Args:
        inner: decides from the depth on that a frame starts at.
        up: a frame whose exit scored this much is calm.
        down: below it the next frame starts one exit deeper.
        hold: so many calm frames in a row, and the next one starts one exit less deep.
        count: how many exits there are.
        settle: so many frames after a target is given, and after a score below 0.3, run to the last exit.
        score: whose values these are.

    Raises:
        UsageError: *down* is above *up*, or *hold* is not positive.
    """

    def __init__(
        self,
        inner: ExitPolicy,
        up: float,
        down: float,
        hold: int,
        count: int,
        *,
        settle: int = 0,
        score: str = "peak",
    ) -> None:
        if down > up or hold < 1:
            raise UsageError("hysteresis takes up >= down and hold >= 1", hint="hysteresis:0.75,0.5,3")
        self._inner, self._score = inner, score
        self._up, self._down, self._hold, self._count, self._settle = up, down, hold, count, settle
        self.reset()

    def reset(self) -> None:
        self._depth, self._calm, self._settling = 1, 0, self._settle
        self._inner.reset()

    def start_depth(self) -> int:
        inner = self._inner.start_depth()
        return self._count if self._settling else max(self._depth, inner)

    def halts(self, number: int, scores: Scores, elapsed_ns: int) -> bool:
        return self._inner.halts(number, scores, elapsed_ns)

    def observe(self, number: int, scores: Scores) -> None:
        score = scores[self._score]
        self._settling = self._settle if score < _LOST_BELOW else max(0, self._settling - 1)
        if score >= self._up:
            self._calm += 1
            if self._calm == self._hold:
                self._depth, self._calm = max(1, self._depth - 1), 0
        else:
            self._calm = 0
            if not score >= self._down:
                self._depth = min(self._count, self._depth + 1)
        self._inner.observe(number, scores)


class Deadline:
    """No stage is begun that would probably end too late.

    Args:
        inner: decides within the limit.
        limit_ns: for a frame, from its crop to its box.
        stage_p99_ns: the 99th percentile of each stage's time, crop and decode included in the first.

    Raises:
        UsageError: the first stage alone takes longer.
    """

    def __init__(self, inner: ExitPolicy, limit_ns: int, stage_p99_ns: Sequence[int]) -> None:
        if not stage_p99_ns or limit_ns < stage_p99_ns[0]:
            raise UsageError(
                f"a deadline of {limit_ns / 1e6:.1f} ms is shorter than the first stage takes, "
                f"{max(stage_p99_ns[:1], default=0) / 1e6:.1f} ms",
                hint="a longer deadline, or a smaller model",
            )
        self._inner, self._limit_ns, self._p99_ns = inner, limit_ns, tuple(stage_p99_ns)
        self._start = 1

    def reset(self) -> None:
        self._inner.reset()

    def start_depth(self) -> int:
        self._start = self._inner.start_depth()
        return 1

    def halts(self, number: int, scores: Scores, elapsed_ns: int) -> bool:
        stops = self._inner.halts(number, scores, elapsed_ns) and number >= self._start
        last = number == len(self._p99_ns)
        return stops or last or elapsed_ns + self._p99_ns[number] > self._limit_ns

    def observe(self, number: int, scores: Scores) -> None:
        self._inner.observe(number, scores)


class EnergyBucket:
    """A frame goes as deep as the energy that is left allows; the first exit is always allowed.

    Args:
        inner: decides within the limit.
        energy_mj: what a frame takes up to each exit, in millijoules, rising.
        refill_mj: what comes in with each frame.
        cap_mj: what the bucket holds at most, and at first.

    Raises:
        UsageError: the energies do not rise, or less comes in than the first exit takes.

    Attributes:
        left_mj: what is in the bucket.
    """

    def __init__(self, inner: ExitPolicy, energy_mj: Sequence[float], refill_mj: float, cap_mj: float) -> None:
        if any(low >= high for low, high in zip(energy_mj, energy_mj[1:])) or refill_mj < energy_mj[0]:
            raise UsageError(
                "an energy bucket takes rising energies, the first not above what comes in a frame",
                hint="energy:10,22,45:20:60, in millijoules",
            )
        self._inner, self._energy_mj, self._refill_mj, self._cap_mj = inner, tuple(energy_mj), refill_mj, cap_mj
        self.reset()

    def reset(self) -> None:
        self.left_mj, self._is_first, self._start = self._cap_mj, True, 1
        self._inner.reset()

    def start_depth(self) -> int:
        if not self._is_first:
            self.left_mj = min(self._cap_mj, self.left_mj + self._refill_mj)
        self._is_first = False
        self._start = self._inner.start_depth()
        return 1

    def halts(self, number: int, scores: Scores, elapsed_ns: int) -> bool:
        deeper_fits = number < len(self._energy_mj) and self._energy_mj[number] <= self.left_mj
        stops = self._inner.halts(number, scores, elapsed_ns) and number >= self._start
        return stops or not deeper_fits

    def observe(self, number: int, scores: Scores) -> None:
        self.left_mj -= self._energy_mj[number - 1]
        self._inner.observe(number, scores)
