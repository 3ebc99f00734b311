"""A locator that runs a search stage by stage and stops where its policy says so; later stages do not run at all."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

from runtime.decode import Candidate
from runtime.frames import Frame
from runtime.locator import ExitTaken, Located
from runtime.matcher import Color, StagedMatcher, StageTimes
from runtime.policies.policy import ExitPolicy
from siamtrt import BoundingBox, ModelCard, UsageError
from siamtrt.geometry import Square

_AUDITS, _LEAST_AGREEMENT = 10, 0.8

log = logging.getLogger(__name__)


class CascadeLocator:
    """Asks a policy behind each stage that a matcher has run, and takes the box of the exit where it stops.

    Args:
        matcher: owned from now on.
        policy: of one target.
        audit_every: each so many frames all stages run, the last exit is taken, and the overlap of its box with the
            one that the policy would have taken is kept; 0 for never.

    Raises:
        UsageError: the model has no exits.
    """

    def __init__(self, matcher: StagedMatcher, policy: ExitPolicy, *, audit_every: int = 0) -> None:
        require_exits(matcher.card)
        self._matcher, self._policy = matcher, policy
        self._audit = _Audit(audit_every)

    @property
    def card(self) -> ModelCard:
        return self._matcher.card

    def remember(self, frame: Frame, square: Square, fill: Color) -> StageTimes:
        self._policy.reset()
        self._audit.reset()
        return self._matcher.remember(frame, square, fill)

    def locate(self, frame: Frame, square: Square, fill: Color, last_size: tuple[float, float]) -> Located:
        """See :class:`runtime.locator.Locator`.

        Raises:
            InferenceError: see there; only the maps of the exit that is taken have to be numbers.
        """
        started_ns = time.perf_counter_ns()
        times = dict(self._matcher.begin(frame, square, fill, last_size))
        count, number = len(self.card.search.stages), self._policy.start_depth()
        answers = list(self._matcher.advance(number))
        if number < count:  # who decides hears of each exit that ran
            for passed, answer in enumerate(answers[:-1], start=1):
                self._policy.halts(passed, answer.scores, time.perf_counter_ns() - started_ns)
        while number < count:
            elapsed_ns = time.perf_counter_ns() - started_ns
            if self._policy.halts(number, answers[-1].scores, elapsed_ns):
                break
            number += 1
            answers += self._matcher.advance(number)
        candidate, times["decode"] = self._box(number)
        if self._audit.is_due():
            answers += self._matcher.advance(count)
            number, early = count, candidate
            candidate, spent_ns = self._box(count)
            times["decode"] += spent_ns
            self._audit.compare(early, candidate)
        self._policy.observe(number, answers[-1].scores)
        for answer in answers:
            for stage, spent_ns in answer.times.items():
                times[stage] = times.get(stage, 0) + spent_ns
        taken = ExitTaken(
            number,
            count,
            tuple(answer.scores for answer in answers),
            tuple(sum(answer.times.values()) for answer in answers),
        )
        return Located(candidate, times, taken)

    def _box(self, number: int) -> tuple[Candidate, int]:
        """The box of an exit, and how long it took to decode."""
        started_ns = time.perf_counter_ns()
        candidate = self._matcher.box(number)
        return candidate, time.perf_counter_ns() - started_ns

    def close(self) -> None:
        self._matcher.close()


def require_exits(card: ModelCard) -> None:
    """Prove that a model can stop early.

    Raises:
        UsageError: it has no exits.
    """
    if not card.search.has_exits:
        raise UsageError(f"{card.name} was exported without exits, so there is nothing to decide", hint="make exits")


@dataclass
class _Audit:
    """Whether the exits that are taken still answer as the last one does."""

    every: int
    frame: int = 0
    overlaps: list[float] = field(default_factory=list)

    def reset(self) -> None:
        self.frame, self.overlaps = 0, []

    def is_due(self) -> bool:
        self.frame += 1
        return bool(self.every) and self.frame % self.every == 0

    def compare(self, taken: Candidate, whole: Candidate) -> None:
        """Keep one more agreement, and warn where the mean of the last ten is low."""
        self.overlaps.append(_box(taken).iou(_box(whole)))
        mean = sum(self.overlaps[-_AUDITS:]) / _AUDITS
        if len(self.overlaps) % _AUDITS == 0 and mean < _LEAST_AGREEMENT:
            log.warning("the thresholds do not fit this scene: early boxes overlap the last exit's by %.2f", mean)


def _box(candidate: Candidate) -> BoundingBox:
    return BoundingBox.from_center(candidate.x, candidate.y, candidate.width, candidate.height)
