"""Several targets on the CPU in one run: their crops are a batch, their kernels lie beside each other."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path

import numpy as np

from runtime.crop import crop, network_input
from runtime.decode import decoders
from runtime.frames import Frame
from runtime.locator import Located
from runtime.matcher import Color, StageTimes
from runtime.onnxruntime.engine import SUFFIX, Engine
from runtime.together import Asked
from siamtrt import Array, InferenceError, ModelCard, Tensors
from siamtrt.geometry import Square


class OnnxBatch:
    """A :class:`runtime.together.Batch` of engines that were built for several targets.

    Args:
        engines: folder of such a build.
        card: of the model.
        threads: of each operator; all cores when None.

    Raises:
        ArtifactError: a graph is truncated, or does not have the tensors its card names.
    """

    def __init__(self, engines: Path, card: ModelCard, *, threads: int | None = None) -> None:
        self._card, self._decoders = card, decoders(card)
        self._engines = {
            graph.name: Engine(engines / f"{graph.name}{SUFFIX}", graph, threads=threads) for graph in card.graphs
        }
        self._pictures = {search.search_px: self._room(search.crop) for search in card.searches}
        self._template = self._room(card.target.name)
        shapes = {kernel.name: (card.targets * kernel.shape[0], *kernel.shape[1:]) for kernel in card.kernels}
        self._kernels: Tensors = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        self._known: set[int] = set()
        self._places = count()

    @property
    def card(self) -> ModelCard:
        return self._card

    def take(self) -> int:
        return next(self._places)

    def remember(self, place: int, frame: Frame, square: Square, fill: Color) -> StageTimes:
        self._known.discard(place)
        started_ns = time.perf_counter_ns()
        network_input(crop(frame, square, fill), self._template)
        cropped_ns = time.perf_counter_ns()
        target = self._card.target
        made = self._engines[target.name].run({target.inputs[0].name: self._template})
        for kernel in self._card.kernels:
            first = place * kernel.shape[0]
            self._kernels[kernel.name][first : first + kernel.shape[0]] = made[kernel.name]
        self._known.add(place)
        return {"crop": cropped_ns - started_ns, "target": time.perf_counter_ns() - cropped_ns}

    def locate(self, frame: Frame, asked: dict[int, Asked]) -> list[Located]:
        if not self._known.issuperset(asked):
            raise InferenceError("no target was remembered", hint="call remember first")
        (size_px,) = {one.square.out_px for one in asked.values()}
        search = next(search for search in self._card.searches if search.search_px == size_px)
        picture = self._pictures[size_px]
        marks_ns, times = [time.perf_counter_ns()], {}
        for place, one in asked.items():
            network_input(crop(frame, one.square, one.fill), picture[place : place + 1])
        marks_ns.append(time.perf_counter_ns())
        times["crop"] = marks_ns[1] - marks_ns[0]
        tensors: Tensors = {**self._kernels, self._card.graph(search.crop).inputs[0].name: picture}
        for name in search.graphs:
            tensors.update(self._engines[name].run(tensors))
            marks_ns.append(time.perf_counter_ns())
            role = self._card.graph(name).role
            times[role] = times.get(role, 0) + marks_ns[-1] - marks_ns[-2]
        decoder = self._decoders[size_px]
        found = [
            decoder.best(tensors["cls"][place], tensors["loc"][place], *one.last_size) for place, one in asked.items()
        ]
        times["decode"] = time.perf_counter_ns() - marks_ns[-1]
        share = {stage: ns // len(asked) for stage, ns in times.items()}
        return [Located(candidate, share) for candidate in found]

    def release(self, place: int) -> None:
        """Forget a target; the sessions are freed with the last locator."""
        self._known.discard(place)

    def _room(self, graph: str) -> Array:
        return np.zeros(self._card.graph(graph).inputs[0].shape, np.float32)
