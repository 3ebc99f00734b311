"""One stage of a search on the GPU: two engines whose features never leave it, and the answer of the second."""

from __future__ import annotations

import logging
from typing import Any, Callable, Sequence

import numpy as np

from runtime.decode import Candidate, Decoder
from runtime.tensorrt.decode import DecodeKernel
from runtime.tensorrt.device import Buffer, Device
from runtime.tensorrt.plans import Plans
from siamtrt import InferenceError, ModelCard, Tensors, UsageError
from siamtrt.card import StageCard

log = logging.getLogger(__name__)


class Stage:
    """A search and an xcorr engine; the addresses of the one's outputs are those of the other's inputs by their names.

    Args:
        device: the GPU.
        plans: of the model.
        card: of the model.
        stage: names the two graphs.
        given: tensor name -> address of what others put out: the crop, and the kernels.
        before: enqueues what has to run first: the crop.
        maps_stay: the maps are read on the GPU, see :meth:`decode_with`.
        earlier: the stages that run before, of whose outputs this one reads some.

    Attributes:
        features: outputs of the search engine, by name.
        maps: outputs of the xcorr engine, by name; the scores of an exit among them go to the host in any case.
        graph: all that one frame enqueues, captured; None until it is.
    """

    def __init__(
        self,
        device: Device,
        plans: Plans,
        card: ModelCard,
        stage: StageCard,
        given: dict[str, int],
        before: Callable[[], None],
        *,
        maps_stay: bool,
        earlier: Sequence[Stage] = (),
    ) -> None:
        self._device, self._before, self._weights = device, before, card.refitted(stage.xcorr)
        mapped = False if maps_stay else None
        search, xcorr = card.graph(stage.search), card.graph(stage.xcorr)
        self._feature_specs, self._layout = search.outputs, plans.features
        self.features = {
            spec.name: device.buffer(self._layout.shape(spec), self._layout.dtype, mapped=False)
            for spec in search.outputs
        }
        self._scores = card.scores_of(stage.xcorr)
        self.maps = {
            spec.name: device.buffer(spec.shape, np.float32, mapped=None if spec.name in self._scores else mapped)
            for spec in xcorr.outputs
        }
        self._buffers = {**self.features, **self.maps}
        self._earlier = {name: buffer for before in earlier for name, buffer in before.buffers.items()}
        known = {**self._earlier, **self._buffers}
        addresses = {**given, **{name: buffer.address for name, buffer in known.items()}}
        self._search, self._xcorr = plans.open(stage.search, addresses), plans.open(stage.xcorr, addresses)
        self._proof = plans.proof(stage.xcorr) if self._weights else None
        self._decodes: list[DecodeKernel] = []
        self._count = card.targets
        self.graph: int | None = None
        self._is_capturable = True

    @property
    def buffers(self) -> dict[str, Buffer]:
        """What the stage puts out, by name."""
        return self._buffers

    @property
    def is_decoding(self) -> bool:
        """Whether the box is chosen on the GPU."""
        return bool(self._decodes)

    @property
    def scores(self) -> list[float]:
        """What the exit says of itself, once the stream was waited for."""
        return [value for name in self._scores for value in self.maps[name].host[0].tolist()]

    def decode_with(self, library: Any, decoder: Decoder) -> None:
        """Let the boxes be chosen on the GPU; otherwise the maps go to the host."""
        for place in range(self._count):
            maps = (self.maps[name] for name in ("cls", "loc"))
            addresses = [map_.address + place * map_.host[0].nbytes for map_ in maps]
            self._decodes.append(DecodeKernel(self._device, library, decoder, *addresses))

    def aim(self, place: int, last_size: tuple[float, float]) -> None:
        """Say how large a target was last, in crop pixels, for the next runs; nothing may be on the stream."""
        if self._decodes:
            self._decodes[place].aim(*last_size)

    def run(self) -> None:
        """Enqueue one frame."""
        if self.graph is None:
            self.enqueue()
        else:
            self._device.launch(self.graph)

    def box(self, place: int = 0) -> Candidate:
        """The box that was chosen on the GPU for the target at *place*, once the stream was waited for.

        Raises:
            UsageError: the choice is left to the host.
            InferenceError: the network put out scores that are no numbers.
        """
        if not self._decodes:
            raise UsageError("these engines were opened without decode on the GPU")
        return self._decodes[place].found()

    def refit(self, kernels: Tensors) -> None:
        """Take the kernels of a new target, unless they are inputs."""
        if self._weights:
            self.forget_graph()
            self._xcorr.refit(kernels, self._weights)

    def prepare(self, kernels: Tensors, *, capture: bool) -> None:
        """Run one frame, prove by it that *kernels* took effect, and capture the next ones where that is wanted.

        Raises:
            ParityError: the refit did not take effect.
        """
        self.enqueue()  # the first run may allocate, which a capture forbids
        for buffer in {**self._earlier, **self._buffers}.values() if self._proof else ():
            self._device.fetch(buffer)
        self._device.synchronize()
        if self._proof:
            features = {
                spec.name: self._layout.values(self.features[spec.name].host, spec) for spec in self._feature_specs
            }
            others = {name: buffer.host for name, buffer in {**self._earlier, **self.maps}.items()}
            self._proof.require_equal(kernels, {**others, **features})
        if capture and self._is_capturable:
            self._capture()

    def _capture(self) -> None:
        """Capture a frame; where something in it cannot be captured, frames go on step by step, which is slower."""
        try:
            self.graph = self._device.capture(self.enqueue)
        except InferenceError as error:
            self._is_capturable = False
            log.warning("frames run step by step, not as a CUDA graph: %s", error.problem)

    def forget_graph(self) -> None:
        """Free the captured frame."""
        if self.graph is not None:
            self._device.forget(self.graph)
            self.graph = None

    def enqueue(self) -> None:
        """Put one frame on the stream, part by part."""
        self._before()
        self._search.enqueue(self._device.stream)
        self._xcorr.enqueue(self._device.stream)
        for decode in self._decodes:
            decode.enqueue()
        for name in (*self._scores, *(() if self._decodes else ("cls", "loc"))):
            self._device.fetch(self.maps[name])
