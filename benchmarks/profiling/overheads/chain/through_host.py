"""The yardstick: the same TensorRT engines, every tensor of them carried through the host.

This is how a published thesis chained them on an AGX Xavier: the crop on the CPU, every output copied to the host and
every input to the GPU, a wait after each engine, the maps decoded on the CPU. The crop is this project's own, which
pads only the patch, so the yardstick is a little quicker than the original.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from runtime.crop import crop, network_input
from runtime.frames import Frame
from runtime.matcher import Color, Response, StageTimes
from runtime.tensorrt.device import Buffer, Device
from runtime.tensorrt.engine import Engine
from runtime.tensorrt.layout import LINEAR, features_of
from siamtrt import InferenceError, Manifest, ModelCard, Tensors
from siamtrt.geometry import Square
from siamtrt.libraries import tensorrt as library


class HostChain:
    """A :class:`runtime.matcher.Matcher` that goes through the host between all engines.

    Args:
        engines: folder of a build for ``tensorrt`` or ``typed``.
        card: of the model.

    Raises:
        MissingDependencyError: TensorRT or CUDA is not on this machine.
        EngineMismatchError: the plans are of another TensorRT, GPU or model.
        InferenceError: there is no usable GPU, or not enough memory.
    """

    def __init__(self, engines: Path, card: ModelCard) -> None:
        manifest = Manifest.load(engines, stage="engines")
        trt = library.load(library.name_of(manifest.environment))
        self._card = card
        self._device = Device(mapped=False)
        logger = library.make_logger(trt)
        self._runtime = trt.Runtime(logger)
        self._engines = {
            graph.name: _HostEngine(self._device, trt, self._runtime, logger, engines, card, graph.name, manifest)
            for graph in card.graphs
        }
        self._kernels: Tensors = {}

    @property
    def card(self) -> ModelCard:
        return self._card

    @property
    def bytes_a_frame(self) -> int:
        """What one frame copies between host and GPU, both ways."""
        return sum(self._engines[name].bytes_a_run for name in self._card.search.graphs)

    @property
    def copies_a_frame(self) -> int:
        """In how many copies one frame goes."""
        return sum(self._engines[name].copies_a_run for name in self._card.search.graphs)

    def remember(self, frame: Frame, square: Square, fill: Color) -> StageTimes:
        target = self._card.target
        template = self._engines[target.name]
        network_input(crop(frame, square, fill), template.hosts[target.inputs[0].name])
        self._kernels = {name: kernel.copy() for name, kernel in template.run({}).items()}
        for name, engine in self._engines.items():
            if self._card.refitted(name):
                engine.refit(self._kernels, self._card)
        return {}

    def match(self, frame: Frame, square: Square, fill: Color) -> Response:
        if not self._kernels:
            raise InferenceError("no target was remembered", hint="call remember first")
        (stage,) = next(search.stages for search in self._card.searches if search.search_px == square.out_px)
        search, xcorr = self._engines[stage.search], self._engines[stage.xcorr]
        started_ns = time.perf_counter_ns()
        network_input(crop(frame, square, fill), search.hosts[self._card.graph(stage.search).inputs[0].name])
        cropped_ns = time.perf_counter_ns()
        features = search.run({})
        maps = xcorr.run({**features, **(self._kernels if self._card.kernel_inputs else {})})
        done_ns = time.perf_counter_ns()
        times = {"crop": cropped_ns - started_ns, "network": done_ns - cropped_ns}
        return Response(maps["cls"][0], maps["loc"][0], times)

    def close(self) -> None:
        for engine in self._engines.values():
            engine.close()
        self._engines.clear()
        self._device.close()


class _HostEngine:
    """One engine whose tensors come from the host and go back there, with one wait."""

    def __init__(
        self,
        device: Device,
        trt: Any,
        runtime: Any,
        logger: Any,
        engines: Path,
        card: ModelCard,
        name: str,
        manifest: Manifest,
    ) -> None:
        graph = card.graph(name)
        self._device = device
        layouts = dict.fromkeys(card.features(name), features_of(manifest))
        self._inputs, self._outputs = (
            {
                spec.name: device.buffer(lies.shape(spec), lies.dtype)
                for spec in specs
                for lies in [layouts.get(spec.name, LINEAR)]
            }
            for specs in (graph.inputs, graph.outputs)
        )
        both: dict[str, Buffer] = {**self._inputs, **self._outputs}
        self.hosts: Tensors = {name: buffer.host for name, buffer in both.items()}
        self.bytes_a_run = sum(buffer.host.nbytes for buffer in both.values())
        self.copies_a_run = len(both)
        addresses = {name: buffer.address for name, buffer in both.items()}
        core = library.dla_cores(manifest.settings.get("dla", ())).get(name)
        self._engine = Engine(trt, runtime, logger, engines / f"{name}.plan", graph, addresses, layouts, core)

    def run(self, feeds: Tensors) -> Tensors:
        """Inputs by name, those left out as they lie in ``hosts``; the outputs are valid until the next run."""
        for name, value in feeds.items():
            np.copyto(self.hosts[name], value)
        for buffer in self._inputs.values():
            self._device.send(buffer)
        self._engine.enqueue(self._device.stream)
        for buffer in self._outputs.values():
            self._device.fetch(buffer)
        self._device.synchronize()
        return {name: buffer.host for name, buffer in self._outputs.items()}

    def refit(self, kernels: Tensors, card: ModelCard) -> None:
        self._engine.refit(kernels, card.kernel_names)

    def close(self) -> None:
        self._engine.close()
