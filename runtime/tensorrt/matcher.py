"""The matcher on TensorRT: per frame one upload, one CUDA graph, one synchronisation, two small maps back."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import numpy as np

from runtime.matcher import Color, Response, Square, StageTimes
from runtime.tensorrt.crop import SQUARE, aim, load_kernels
from runtime.tensorrt.device import Buffer, Device
from runtime.tensorrt.engine import Engine
from runtime.tensorrt.probe import Probe, probe_features
from siamtrt import Array, EngineMismatchError, InferenceError, Manifest, ModelCard
from siamtrt import tensorrt as library


class TensorrtMatcher:
    """A model on the GPU.

    The addresses of search's outputs are those of xcorr's inputs of the same name, so features never leave the GPU.

    Args:
        engines: folder of a build for ``tensorrt``.
        card: of the model.
        manifest: of the build.
        graphs: replay each frame as a CUDA graph; False enqueues step by step, as profilers need it.
        mapped: see :class:`runtime.tensorrt.device.Device`.

    Raises:
        MissingDependencyError: TensorRT, CUDA or the compiled kernels are not on this machine.
        EngineMismatchError: the plans are of another TensorRT, GPU or model.
        InferenceError: there is no usable GPU, or not enough memory.
    """

    def __init__(
        self, engines: Path, card: ModelCard, manifest: Manifest, *, graphs: bool = True, mapped: Optional[bool] = None
    ) -> None:
        trt = library.load("tensorrt")
        self._card, self._graphs = card, graphs
        self._kernels = load_kernels()
        self._device = Device(mapped)
        found = {"tensorrt": trt.__version__, "compute_capability": self._device.compute_capability}
        _require_environment(engines, manifest, found)
        logger = library.make_logger(trt)
        self._runtime = trt.Runtime(logger)
        self._told = self._device.buffer((1,), SQUARE, mapped=True)
        self._frame: Optional[Buffer] = None
        self._has_target = False
        template = card.graph("target").inputs[0]
        self._template = self._device.allocate(_size_bytes(template.shape))
        self._target_kernels = {
            kernel.name: self._device.buffer(kernel.shape, np.float32, mapped=None if not card.kernel_inputs else False)
            for kernel in card.kernels
        }
        addresses = {name: buffer.address for name, buffer in self._target_kernels.items()}

        def engine(graph: str, bound: Dict[str, int]) -> Engine:
            return Engine(trt, self._runtime, logger, engines / f"{graph}.plan", card.graph(graph), bound)

        self._target = engine("target", {template.name: self._template, **addresses})
        self._searches: Dict[int, _Search] = {}
        for size_px, suffix in _sizes(card).items():
            search = _Search(self._device, engines, card, suffix)
            search.engines = [
                engine(f"search{suffix}", search.addresses),
                engine(f"xcorr{suffix}", {**search.addresses, **addresses}),
            ]
            self._searches[size_px] = search

    @property
    def card(self) -> ModelCard:
        """See :class:`runtime.matcher.Matcher`."""
        return self._card

    def remember(self, frame: Array, square: Square, fill: Color) -> StageTimes:
        """See :class:`runtime.matcher.Matcher`."""
        started_ns = time.perf_counter_ns()
        self._has_target = False
        self._upload(frame)
        aim(self._told.host, square, fill)
        self._enqueue_crop(self._template, square.out_px)
        self._target.enqueue(self._device.stream)
        for buffer in self._target_kernels.values() if not self._card.kernel_inputs else ():
            self._device.fetch(buffer)
        self._device.synchronize()
        computed_ns = time.perf_counter_ns()
        for size_px, search in self._searches.items():
            self._prepare(size_px, search)
        self._has_target = True
        return StageTimes(network_ns=computed_ns - started_ns, refit_ns=time.perf_counter_ns() - computed_ns)

    def match(self, frame: Array, square: Square, fill: Color) -> Response:
        """See :class:`runtime.matcher.Matcher`; crop and network run as one, so ``network_ns`` holds both."""
        if not self._has_target:
            raise InferenceError("no target was remembered", hint="call remember first")
        search = self._searches[square.out_px]
        started_ns = time.perf_counter_ns()
        self._upload(frame)
        aim(self._told.host, square, fill)
        if search.graph is None:
            self._enqueue_frame(square.out_px, search)
        else:
            self._device.launch(search.graph)
        self._device.synchronize()
        times = StageTimes(network_ns=time.perf_counter_ns() - started_ns)
        return Response(search.maps["cls"].host[0], search.maps["loc"].host[0], times)

    def close(self) -> None:
        """See :class:`runtime.matcher.Matcher`: graphs, contexts, engines, memory, in this order."""
        self._has_target = False
        for search in self._searches.values():
            self._forget(search)
            for engine in search.engines:
                engine.close()
        self._searches.clear()
        self._target.close()
        self._device.close()

    def _upload(self, frame: Array) -> None:
        """Put *frame* where the GPU reads it; the copy itself is part of what is enqueued."""
        if self._frame is None or self._frame.host.shape != frame.shape:
            for search in self._searches.values():
                self._forget(search)  # it would read the frame at the old address
            self._frame = self._device.buffer(frame.shape, np.uint8)
        np.copyto(self._frame.host, frame)

    def _enqueue_crop(self, out: int, out_px: int) -> None:
        """Enqueue the upload of the frame, and the crop that ``self._told`` describes."""
        if self._frame is None:
            raise InferenceError("no frame was uploaded")
        self._device.send(self._frame)
        height, width = self._frame.host.shape[:2]
        status = self._kernels.siamtrt_crop(
            ctypes.c_void_p(self._frame.address),
            width,
            height,
            ctypes.c_void_p(self._told.address),
            ctypes.c_void_p(out),
            out_px,
            ctypes.c_void_p(self._device.stream),
        )
        self._device.check(status, "cropping")

    def _enqueue_frame(self, size_px: int, search: _Search) -> None:
        """Enqueue all that one frame needs."""
        self._enqueue_crop(search.crop, size_px)
        for engine in search.engines:
            engine.enqueue(self._device.stream)
        for buffer in search.maps.values():
            self._device.fetch(buffer)

    def _prepare(self, size_px: int, search: _Search) -> None:
        """Give one search the kernels of a new target, prove that it took them, and capture its graph anew."""
        self._forget(search)
        xcorr = search.engines[1]
        if search.probe is not None:
            kernels = {name: buffer.host for name, buffer in self._target_kernels.items()}
            xcorr.refit(kernels, self._card.kernel_names)
            self._prove(search, search.probe)
        self._enqueue_frame(size_px, search)  # the first run may allocate, which a capture forbids
        self._device.synchronize()
        if self._graphs:
            search.graph = self._device.capture(lambda: self._enqueue_frame(size_px, search))

    def _prove(self, search: _Search, probe: Probe) -> None:
        for buffer in search.features.values():
            self._device.send(buffer)
        search.engines[1].enqueue(self._device.stream)
        for buffer in search.maps.values():
            self._device.fetch(buffer)
        self._device.synchronize()
        probe.require_equal(
            {name: buffer.host for name, buffer in self._target_kernels.items()},
            {name: buffer.host for name, buffer in search.features.items()},
            {name: buffer.host for name, buffer in search.maps.items()},
        )

    def _forget(self, search: _Search) -> None:
        if search.graph is not None:
            self._device.forget(search.graph)
            search.graph = None


class _Search:
    """What one search size needs on the GPU."""

    def __init__(self, device: Device, engines: Path, card: ModelCard, suffix: str) -> None:
        network, xcorr = card.graph(f"search{suffix}"), card.graph(f"xcorr{suffix}")
        self.crop = device.allocate(_size_bytes(network.inputs[0].shape))
        self.features = {spec.name: device.buffer(spec.shape, np.float32, mapped=False) for spec in network.outputs}
        self.maps = {spec.name: device.buffer(spec.shape, np.float32) for spec in xcorr.outputs}
        self.addresses = {network.inputs[0].name: self.crop}
        for name, buffer in {**self.features, **self.maps}.items():
            self.addresses[name] = buffer.address
        self.engines: List[Engine] = []
        self.graph: Optional[int] = None
        self.probe: Optional[Probe] = None
        if not card.kernel_inputs:
            self.probe = Probe(engines, card, f"xcorr{suffix}")
            for seed, buffer in enumerate(self.features.values()):
                buffer.host[...] = probe_features(buffer.host.shape, seed)


def _sizes(card: ModelCard) -> Dict[int, str]:
    """Search size in pixels -> suffix of the names of its graphs."""
    return {card.search_px: "", **({card.lost.search_px: "_lost"} if card.lost else {})}


def _size_bytes(shape: Tuple[int, ...]) -> int:
    return int(np.prod(shape)) * np.dtype(np.float32).itemsize


def _require_environment(engines: Path, manifest: Manifest, found: Dict[str, str]) -> None:
    """Prove that plans belong to this machine, before TensorRT reads them.

    Raises:
        EngineMismatchError: they were built with another TensorRT or for another GPU.
    """
    for key, here in found.items():
        built = manifest.environment.get(key)
        if built != here:
            raise EngineMismatchError(
                f"{engines} was built for {key} {built}, this machine has {here}", hint=manifest.command
            )
