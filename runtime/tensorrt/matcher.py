"""The matcher on TensorRT: one target of a chain, its maps taken to the host."""

from __future__ import annotations

from runtime.matcher import Color, Response, StageTimes
from runtime.tensorrt.chain import Chain
from runtime.together import Asked
from siamtrt import Array, ModelCard
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

    def remember(self, frame: Array, square: Square, fill: Color) -> StageTimes:
        """Take the target in *square* of *frame*, see :class:`runtime.locator.Locator`."""
        return self._chain.remember(self._target, frame, square, fill)

    def close(self) -> None:
        """Free what this target has, and with the last target all of the chain."""
        self._target.is_known = False
        self._chain.remove_target(self._target)


class TensorrtMatcher(TargetOnChain):
    """A :class:`runtime.matcher.Matcher` on a chain without decode: 75 KB of maps come back a frame."""

    def match(self, frame: Array, square: Square, fill: Color) -> Response:
        stage, times = self._chain.run(frame, [(self._target, Asked(square, fill, (1.0, 1.0)))])
        cls, loc = (stage.maps[name].host[self._target.place] for name in ("cls", "loc"))
        return Response(cls, loc, times)
