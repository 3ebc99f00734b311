"""What one search size has on the GPU: buffers, two engines, the way its answer leaves."""

from __future__ import annotations

from typing import Any, List, Optional, Tuple

import numpy as np

from runtime.decode import Candidate, Decoder
from runtime.tensorrt.decode import DecodeKernel
from runtime.tensorrt.device import Device
from runtime.tensorrt.engine import Engine
from runtime.tensorrt.refit_proof import Probe
from siamtrt import ModelCard, Tensors, UsageError
from siamtrt.card import StageCard


class Search:
    """One search size of a model.

    Args:
        device: the GPU.
        card: of the model.
        stage: names its two graphs.

    Attributes:
        crop: address of search's input.
        features: search's outputs, which are xcorr's inputs of the same name.
        maps: xcorr's outputs.
        addresses: of all these by name.
        engines: search and xcorr, in this order.
        decode: chooses the box on the GPU; None where the maps go back to the host.
        probe: proves a refit; None where the kernels are inputs.
        graph: the captured frame; None until it is captured.
    """

    def __init__(self, device: Device, card: ModelCard, stage: StageCard, *, maps_stay: bool) -> None:
        network, xcorr = card.graph(stage.search), card.graph(stage.xcorr)
        self._device = device
        self.crop = device.allocate(size_bytes(network.inputs[0].shape))
        self.features = {spec.name: device.buffer(spec.shape, np.float32, mapped=False) for spec in network.outputs}
        mapped = False if maps_stay else None
        self.maps = {spec.name: device.buffer(spec.shape, np.float32, mapped=mapped) for spec in xcorr.outputs}
        self.addresses = {network.inputs[0].name: self.crop}
        for name, buffer in {**self.features, **self.maps}.items():
            self.addresses[name] = buffer.address
        self.engines: List[Engine] = []
        self.decode: Optional[DecodeKernel] = None
        self.probe: Optional[Probe] = None
        self.graph: Optional[int] = None

    def decode_with(self, library: Any, decoder: Decoder) -> None:
        """Let the box be chosen on the GPU."""
        maps = self.maps
        self.decode = DecodeKernel(self._device, library, decoder, maps["cls"].address, maps["loc"].address)

    def enqueue(self) -> None:
        """Enqueue all that follows the crop.

        Raises:
            InferenceError: TensorRT or CUDA refused.
        """
        for engine in self.engines:
            engine.enqueue(self._device.stream)
        if self.decode is None:
            self._fetch_maps()
        else:
            self.decode.enqueue()

    def found(self) -> Candidate:
        """The box that was chosen on the GPU, once the stream was waited for.

        Raises:
            UsageError: the choice is left to the host.
            InferenceError: the network put out scores that are no numbers.
        """
        if self.decode is None:
            raise UsageError("these engines were opened without decode on the GPU")
        return self.decode.found()

    def enqueue_evidence(self) -> None:
        """Enqueue the way of features and maps to the host, where a refit has to be proved."""
        if self.probe is not None:
            for buffer in (*self.features.values(), *self.maps.values()):
                self._device.fetch(buffer)

    def require_proof(self, kernels: Tensors) -> None:
        """Compare what xcorr made of the features with the reference, once the stream was waited for.

        Raises:
            ParityError: they differ.
        """
        if self.probe is not None:
            sides = (self.features, self.maps)
            features, maps = ({name: buffer.host for name, buffer in side.items()} for side in sides)
            self.probe.require_equal(kernels, features, maps)

    def forget_graph(self) -> None:
        """Free the captured frame."""
        if self.graph is not None:
            self._device.forget(self.graph)
            self.graph = None

    def _fetch_maps(self) -> None:
        for buffer in self.maps.values():
            self._device.fetch(buffer)


def size_bytes(shape: Tuple[int, ...]) -> int:
    """Of a float32 tensor."""
    return int(np.prod(shape)) * np.dtype(np.float32).itemsize
