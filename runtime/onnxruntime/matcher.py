"""The matcher on ONNX Runtime: crops by OpenCV, kernels patched into the bytes of the xcorr graphs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from runtime.crop import crop, network_input
from runtime.matcher import Color, Response, StageTimes
from runtime.onnxruntime.engine import SUFFIX, Engine
from siamtrt import Array, InferenceError, ModelCard, Tensors
from siamtrt.geometry import Square


class OnnxMatcher:
    """A model on the CPU.

    Args:
        engines: folder of a build for ``onnxruntime``, or of an export.
        card: of the model.
        threads: of each operator; all cores when None.

    Raises:
        ArtifactError: a graph is truncated, or does not have the tensors its card names.
    """

    def __init__(self, engines: Path, card: ModelCard, *, threads: int | None = None) -> None:
        self._card = card
        self._target = _Pipeline(engines, card, [card.target.name], threads)
        self._searches = {
            search.search_px: _Pipeline(engines, card, search.graphs, threads) for search in card.searches
        }
        self._kernels: Tensors = {}

    @property
    def card(self) -> ModelCard:
        return self._card

    def remember(self, frame: Array, square: Square, fill: Color) -> StageTimes:
        self._kernels = {}
        kernels, times = self._target.run(frame, square, fill, {})
        started_ns = time.perf_counter_ns()
        for search in self._searches.values():
            search.refit(kernels)
        self._kernels = kernels
        return {**times, "refit": time.perf_counter_ns() - started_ns}

    def match(self, frame: Array, square: Square, fill: Color) -> Response:
        if not self._kernels:
            raise InferenceError("no target was remembered", hint="call remember first")
        maps, times = self._searches[square.out_px].run(frame, square, fill, self._kernels)
        return Response(maps["cls"][0], maps["loc"][0], times)

    def close(self) -> None:
        """Forget the sessions, which are freed with the objects."""
        self._searches.clear()
        self._kernels = {}


class _Pipeline:
    """A crop and the graphs that run on it, each taking what it needs, by name, of all that came before."""

    def __init__(self, engines: Path, card: ModelCard, names: Sequence[str], threads: int | None) -> None:
        graphs = [card.graph(name) for name in names]
        self._steps = [
            (graph.role, Engine(engines / f"{graph.name}{SUFFIX}", graph, card.refitted(graph.name), threads=threads))
            for graph in graphs
        ]
        picture = graphs[0].inputs[0]
        self._picture = {picture.name: np.zeros(picture.shape, np.float32)}

    def run(self, frame: Array, square: Square, fill: Color, kernels: Tensors) -> tuple[Tensors, StageTimes]:
        """The outputs of all graphs, and how long the crop and the graphs of each role took."""
        started_ns = time.perf_counter_ns()
        for picture in self._picture.values():
            network_input(crop(frame, square, fill), picture)
        done_ns = time.perf_counter_ns()
        times = {"crop": done_ns - started_ns}
        outputs: Tensors = {}
        for role, engine in self._steps:
            started_ns = done_ns
            outputs.update(engine.run({**kernels, **self._picture, **outputs}))
            done_ns = time.perf_counter_ns()
            times[role] = times.get(role, 0) + done_ns - started_ns
        return outputs, times

    def refit(self, kernels: Tensors) -> None:
        """Give the kernels of a new target to the graphs that hold kernels as weights."""
        for _, engine in self._steps:
            engine.refit(kernels)
