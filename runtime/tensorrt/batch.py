"""Several targets on TensorRT in one run: one upload, one CUDA graph and one wait a frame for all of them."""

from __future__ import annotations

from runtime.decode import decoders
from runtime.frames import Frame
from runtime.locator import Located
from runtime.matcher import Color, StageTimes
from runtime.tensorrt.chain import Chain
from runtime.tensorrt.kernel_block import Target
from runtime.together import Asked
from siamtrt import InferenceError, ModelCard
from siamtrt.geometry import Square


class TensorrtBatch:
    """A :class:`runtime.together.Batch` on a chain of engines that were built for several targets.

    Args:
        chain: owned from now on.
        decode: the boxes are chosen on the GPU; else the maps of all targets come back.
    """

    def __init__(self, chain: Chain, *, decode: bool) -> None:
        self._chain, self._decode = chain, decode
        self._decoders = decoders(chain.card)
        self._targets: dict[int, Target] = {}

    @property
    def card(self) -> ModelCard:
        return self._chain.card

    def take(self) -> int:
        target = self._chain.add_target()
        self._targets[target.place] = target
        return target.place

    def remember(self, place: int, frame: Frame, square: Square, fill: Color) -> StageTimes:
        return self._chain.remember(self._target(place), frame, square, fill)

    def locate(self, frame: Frame, asked: dict[int, Asked]) -> list[Located]:
        stage, times = self._chain.run(frame, [(self._target(place), one) for place, one in asked.items()])
        share = {name: ns // len(asked) for name, ns in times.items()}
        if self._decode:
            return [Located(stage.box(place), share) for place in asked]
        cls, loc = (stage.maps[name].host for name in ("cls", "loc"))
        return [
            Located(self._decoders[one.square.out_px].best(cls[place], loc[place], *one.last_size), share)
            for place, one in asked.items()
        ]

    def release(self, place: int) -> None:
        target = self._targets.pop(place, None)
        if target is not None:
            target.is_known = False
            self._chain.remove_target(target)

    def _target(self, place: int) -> Target:
        if place not in self._targets:
            raise InferenceError("no target was remembered", hint="it was closed")
        return self._targets[place]
