"""The matcher on ONNX Runtime: crops by OpenCV, kernels patched into the bytes of the xcorr graphs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from runtime.crop import crop, network_input
from runtime.decode import Candidate, Decoder, decoders
from runtime.frames import Frame
from runtime.matcher import Color, Response, StageAnswer, StageTimes
from runtime.onnxruntime.engine import SUFFIX, Engine
from siamtrt import Array, InferenceError, ModelCard, Tensors, UsageError
from siamtrt.geometry import Square


class OnnxMatcher:
    """A model on the CPU, whole or a stage at a time.

    Args:
        engines: folder of a build for ``onnxruntime``, or of an export.
        card: of the model.
        threads: of each operator; all cores when None.

    Raises:
        UsageError: the folder holds plans of TensorRT.
        ArtifactError: a graph is truncated, or does not have the tensors its card names.
    """

    def __init__(self, engines: Path, card: ModelCard, *, threads: int | None = None) -> None:
        if (engines / f"{card.target.name}.plan").is_file():
            raise UsageError(f"{engines} holds plans, and this runs on ONNX Runtime alone", hint="BACKEND=onnxruntime")
        self._card = card
        self._target = _Pipeline(engines, card, [[card.target.name]], threads)
        self._searches = {
            search.search_px: _Pipeline(
                engines, card, [(stage.search, stage.xcorr) for stage in search.stages], threads
            )
            for search in card.searches
        }
        self._kernels: Tensors = {}
        self._decoders = decoders(card)
        self._begun: _Begun | None = None

    @property
    def card(self) -> ModelCard:
        return self._card

    def remember(self, frame: Frame, square: Square, fill: Color) -> StageTimes:
        self._kernels = {}
        kernels, times = self._target.run(frame, square, fill, {})
        started_ns = time.perf_counter_ns()
        for search in self._searches.values():
            search.refit(kernels)
        self._kernels = kernels
        return {**times, "refit": time.perf_counter_ns() - started_ns}

    @property
    def runs(self) -> dict[str, int]:
        """How often each graph of the searches has run."""
        return {name: count for search in self._searches.values() for name, count in search.runs.items()}

    def match(self, frame: Frame, square: Square, fill: Color) -> Response:
        maps, times = self._pipeline(square).run(frame, square, fill, self._kernels)
        return Response(maps["cls"][0], maps["loc"][0], times)

    def begin(self, frame: Frame, square: Square, fill: Color, last_size: tuple[float, float]) -> StageTimes:
        """See :class:`runtime.matcher.StagedMatcher`."""
        pipeline = self._pipeline(square)
        self._begun = _Begun(pipeline, self._decoders[square.out_px], last_size)
        return pipeline.begin(frame, square, fill, self._kernels)

    def advance(self, number: int) -> list[StageAnswer]:
        """See :class:`runtime.matcher.StagedMatcher`."""
        answers = []
        for stage in self._card.search.stages[len(self._running.maps) : number]:
            tensors, times = self._running.pipeline.step(len(self._running.maps))
            self._running.maps.append((tensors["cls"][0], tensors["loc"][0]))
            names, output = (stage.exit.scores, stage.exit.output) if stage.exit else ((), "cls")
            answers.append(StageAnswer(dict(zip(names, tensors[output][0].tolist())), times))
        return answers

    def box(self, number: int) -> Candidate:
        """See :class:`runtime.matcher.StagedMatcher`."""
        cls, loc = self._running.maps[number - 1]
        return self._running.decoder.best(cls, loc, *self._running.last_size)

    @property
    def _running(self) -> _Begun:
        if self._begun is None:
            raise InferenceError("no frame was begun in stages", hint="call begin first")
        return self._begun

    def _pipeline(self, square: Square) -> _Pipeline:
        if not self._kernels:
            raise InferenceError("no target was remembered", hint="call remember first")
        return self._searches[square.out_px]

    def close(self) -> None:
        """Forget the sessions, which are freed with the objects."""
        self._searches.clear()
        self._kernels, self._begun = {}, None


@dataclass
class _Begun:
    """A frame in stages, and the maps of the exits so far."""

    pipeline: _Pipeline
    decoder: Decoder
    last_size: tuple[float, float]
    maps: list[tuple[Array, Array]] = field(default_factory=list)


class _Pipeline:
    """A crop and the stages that run on it, each graph taking what it needs, by name, of all that came before."""

    def __init__(self, engines: Path, card: ModelCard, stages: Sequence[Sequence[str]], threads: int | None) -> None:
        self._stages = [[self._open(engines, card, name, threads) for name in names] for names in stages]
        picture = card.graph(stages[0][0]).inputs[0]
        self._picture = {picture.name: np.zeros(picture.shape, np.float32)}
        self._tensors: Tensors = {}

    @property
    def runs(self) -> dict[str, int]:
        """How often each graph has run."""
        return {engine.name: engine.runs for stage in self._stages for _, engine in stage}

    def begin(self, frame: Frame, square: Square, fill: Color, kernels: Tensors) -> StageTimes:
        """Crop, and forget the outputs of the last frame."""
        started_ns = time.perf_counter_ns()
        for picture in self._picture.values():
            network_input(crop(frame, square, fill), picture)
        self._tensors = {**kernels, **self._picture}
        return {"crop": time.perf_counter_ns() - started_ns}

    def step(self, index: int) -> tuple[Tensors, StageTimes]:
        """All tensors so far once stage *index* has run, and how long its graphs of each role took."""
        times: dict[str, int] = {}
        done_ns = time.perf_counter_ns()
        for role, engine in self._stages[index]:
            started_ns = done_ns
            self._tensors.update(engine.run(self._tensors))
            done_ns = time.perf_counter_ns()
            times[role] = times.get(role, 0) + done_ns - started_ns
        return self._tensors, times

    def run(self, frame: Frame, square: Square, fill: Color, kernels: Tensors) -> tuple[Tensors, StageTimes]:
        """The outputs of all graphs, and how long the crop and the graphs of each role took."""
        times = dict(self.begin(frame, square, fill, kernels))
        for index in range(len(self._stages)):
            for role, spent_ns in self.step(index)[1].items():
                times[role] = times.get(role, 0) + spent_ns
        return {name: tensor for name, tensor in self._tensors.items() if name not in self._picture}, times

    def refit(self, kernels: Tensors) -> None:
        """Give the kernels of a new target to the graphs that hold kernels as weights."""
        for stage in self._stages:
            for _, engine in stage:
                engine.refit(kernels)

    @staticmethod
    def _open(engines: Path, card: ModelCard, name: str, threads: int | None) -> tuple[str, Engine]:
        graph = card.graph(name)
        return graph.role, Engine(engines / f"{name}{SUFFIX}", graph, card.refitted(name), threads=threads)
