"""One stage of a search on the GPU: two engines whose features never leave it."""

from __future__ import annotations

import numpy as np

from runtime.tensorrt.device import Device
from runtime.tensorrt.plans import Plans
from siamtrt import ModelCard, Tensors
from siamtrt.card import StageCard


class Stage:
    """A search and an xcorr engine; the addresses of the one's outputs are those of the other's inputs by their names.

    Args:
        device: the GPU.
        plans: of the model.
        card: of the model.
        stage: names the two graphs.
        given: tensor name -> address of what others put out: the crop, and the kernels.
        maps_stay: the maps are read on the GPU.

    Attributes:
        features: outputs of the search engine, by name.
        maps: outputs of the xcorr engine, by name.
    """

    def __init__(
        self, device: Device, plans: Plans, card: ModelCard, stage: StageCard, given: dict[str, int], *, maps_stay: bool
    ) -> None:
        self._device, self._weights = device, card.refitted(stage.xcorr)
        mapped = False if maps_stay else None
        search, xcorr = card.graph(stage.search), card.graph(stage.xcorr)
        self.features = {spec.name: device.buffer(spec.shape, np.float32, mapped=False) for spec in search.outputs}
        self.maps = {spec.name: device.buffer(spec.shape, np.float32, mapped=mapped) for spec in xcorr.outputs}
        self._buffers = {**self.features, **self.maps}
        addresses = {**given, **{name: buffer.address for name, buffer in self._buffers.items()}}
        self._search, self._xcorr = plans.open(stage.search, addresses), plans.open(stage.xcorr, addresses)
        self._proof = plans.proof(stage.xcorr) if self._weights else None

    def enqueue(self) -> None:
        """Enqueue both engines.

        Raises:
            InferenceError: TensorRT refused.
        """
        self._search.enqueue(self._device.stream)
        self._xcorr.enqueue(self._device.stream)

    def enqueue_maps(self) -> None:
        """Enqueue the way of the maps to the host."""
        for buffer in self.maps.values():
            self._device.fetch(buffer)

    def refit(self, kernels: Tensors) -> None:
        """Replace the weights that change with the target; captured graphs are void afterwards.

        Raises:
            InferenceError: TensorRT refused a weight.
        """
        self._xcorr.refit(kernels, self._weights)

    def enqueue_evidence(self) -> None:
        """Enqueue the way of features and maps to the host, where a refit has to be proved."""
        if self._proof is not None:
            for buffer in self._buffers.values():
                self._device.fetch(buffer)

    def require_proof(self, kernels: Tensors) -> None:
        """Compare what xcorr made of the features with the reference, once the stream was waited for.

        Raises:
            ParityError: they differ.
        """
        if self._proof is not None:
            self._proof.require_equal(kernels, {name: buffer.host for name, buffer in self._buffers.items()})
