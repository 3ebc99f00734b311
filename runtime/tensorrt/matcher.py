"""The matchers on TensorRT: one target of a chain, its maps taken to the host, or in stages."""

from __future__ import annotations

import time

from runtime.decode import Candidate, decoders
from runtime.frames import Frame
from runtime.matcher import Color, Response, StageAnswer, StageTimes
from runtime.tensorrt.chain import Chain
from runtime.tensorrt.stages import Stages, require_stages
from runtime.together import Asked
from siamtrt import InferenceError, ModelCard
from siamtrt.geometry import Square


class TargetOnChain:
    """One target of a chain, which the last target closes.

    Args:
        chain: of the model.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain, self._target = chain, chain.add_target()

    @property
    def card(self) -> ModelCard:
        """The model it runs."""
        return self._chain.card

    def remember(self, frame: Frame, square: Square, fill: Color) -> StageTimes:
        """Take the target in *square* of *frame*, see :class:`runtime.locator.Locator`."""
        return self._chain.remember(self._target, frame, square, fill)

    def close(self) -> None:
        """Free what this target has, and with the last target all of the chain."""
        self._target.is_known = False
        self._chain.remove_target(self._target)


class TensorrtMatcher(TargetOnChain):
    """A :class:`runtime.matcher.Matcher` on a chain without decode: 75 KB of maps come back a frame."""

    def match(self, frame: Frame, square: Square, fill: Color) -> Response:
        stage, times = self._chain.run(frame, [(self._target, Asked(square, fill, (1.0, 1.0)))])
        cls, loc = (stage.maps[name].host[self._target.place] for name in ("cls", "loc"))
        return Response(cls, loc, times)


class StagedTensorrtMatcher(TargetOnChain):
    """A :class:`runtime.matcher.StagedMatcher`: a launch and a wait for each call of ``advance``.

    The box is chosen on the GPU, or on the host where the chain was opened so.
    """

    def __init__(self, chain: Chain) -> None:
        super().__init__(chain)
        self._decoders = decoders(chain.card)
        self._begun: tuple[Stages, Asked] | None = None

    def begin(self, frame: Frame, square: Square, fill: Color, last_size: tuple[float, float]) -> StageTimes:
        """See :class:`runtime.matcher.StagedMatcher`; the crop runs with the first stage."""
        asked = Asked(square, fill, last_size)
        self._begun = require_stages(self._chain.begin(frame, [(self._target, asked)])), asked
        return {}

    def advance(self, number: int) -> list[StageAnswer]:
        """See :class:`runtime.matcher.StagedMatcher`."""
        stages, _ = self._running
        started_ns = time.perf_counter_ns()
        rows = stages.advance(number)
        spent_ns = time.perf_counter_ns() - started_ns
        exits = [
            stage.exit.scores if stage.exit else () for stage in self.card.search.stages[number - len(rows) : number]
        ]
        answers = [StageAnswer(dict(zip(names, row)), {"network": 0}) for names, row in zip(exits, rows)]
        return [*answers[:-1], *(StageAnswer(answer.scores, {"network": spent_ns}) for answer in answers[-1:])]

    def box(self, number: int) -> Candidate:
        """See :class:`runtime.matcher.StagedMatcher`."""
        stages, asked = self._running
        stage = stages.answer(number)
        if stage.is_decoding:
            return stage.box(self._target.place)
        cls, loc = (stage.maps[name].host[self._target.place] for name in ("cls", "loc"))
        return self._decoders[asked.square.out_px].best(cls, loc, *asked.last_size)

    @property
    def _running(self) -> tuple[Stages, Asked]:
        if self._begun is None:
            raise InferenceError("no frame was begun in stages", hint="call begin first")
        return self._begun
