"""The matcher on ONNX Runtime: crops by OpenCV, kernels patched into the bytes of the xcorr graph."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnxruntime import InferenceSession

from runtime.crop import crop, network_input
from runtime.matcher import Color, Response, StageTimes
from siamtrt import Array, ArtifactError, EngineMismatchError, GraphCard, InferenceError, ModelCard, Tensors
from siamtrt.card import SearchCard
from siamtrt.geometry import Square
from siamtrt.libraries.onnxruntime import RUN_ERRORS, open_session

SUFFIX = ".onnx"
_KERNEL_TYPES = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)


class OnnxMatcher:
    """A model on the CPU.

    Args:
        engines: folder of a build for ``onnxruntime``.
        card: of the model.
        threads: of each operator; all cores when None.

    Raises:
        ArtifactError: a graph is truncated, or does not have the tensors its card names.
    """

    def __init__(self, engines: Path, card: ModelCard, *, threads: Optional[int] = None) -> None:
        self._card = card
        self._target = _Graph(engines, card.target, threads)
        self._template = np.zeros((1, 3, card.template_px, card.template_px), np.float32)
        self._searches = {search.search_px: _Search.open(engines, card, search, threads) for search in card.searches}
        self._has_target = False

    @property
    def card(self) -> ModelCard:
        """See :class:`runtime.matcher.Matcher`."""
        return self._card

    def remember(self, frame: Array, square: Square, fill: Color) -> StageTimes:
        """See :class:`runtime.matcher.Matcher`."""
        started_ns = time.perf_counter_ns()
        network_input(crop(frame, square, fill), self._template)
        cropped_ns = time.perf_counter_ns()
        kernels = self._target.run({self._card.target.inputs[0].name: self._template})
        computed_ns = time.perf_counter_ns()
        for search in self._searches.values():
            for _, xcorr in search.stages:
                xcorr.refit(kernels)
        self._has_target = True
        return StageTimes(
            crop_ns=cropped_ns - started_ns,
            network_ns=computed_ns - cropped_ns,
            refit_ns=time.perf_counter_ns() - computed_ns,
        )

    def match(self, frame: Array, square: Square, fill: Color) -> Response:
        """See :class:`runtime.matcher.Matcher`."""
        if not self._has_target:
            raise InferenceError("no target was remembered", hint="call remember first")
        search = self._searches[square.out_px]
        started_ns = time.perf_counter_ns()
        network_input(crop(frame, square, fill), search.crop)
        cropped_ns = time.perf_counter_ns()
        ((graph, xcorr),) = search.stages
        features = graph.run({graph.input: search.crop})
        searched_ns = time.perf_counter_ns()
        maps = xcorr.run(features)
        done_ns = time.perf_counter_ns()
        times = StageTimes(
            crop_ns=cropped_ns - started_ns,
            network_ns=done_ns - cropped_ns,
            search_ns=searched_ns - cropped_ns,
            xcorr_ns=done_ns - searched_ns,
        )
        return Response(maps["cls"][0], maps["loc"][0], times)

    def close(self) -> None:
        """See :class:`runtime.matcher.Matcher`; sessions are freed with the object."""
        self._searches.clear()
        self._has_target = False


class _Graph:
    """A session whose tensors are the card's."""

    def __init__(self, engines: Path, graph: GraphCard, threads: Optional[int]) -> None:
        self._path = engines / f"{graph.name}{SUFFIX}"
        self._session = open_session(self._path, threads=threads)
        self._outputs = [output.name for output in graph.outputs]
        self.input = graph.inputs[0].name
        require_interface(self._session, graph, self._path)

    def run(self, feeds: Tensors) -> Tensors:
        return run_named(self._session, self._outputs, feeds)


class Xcorr:
    """The xcorr graph, opened anew with the kernels of each target."""

    def __init__(self, engines: Path, card: ModelCard, name: str, threads: Optional[int]) -> None:
        self._path, self._threads = engines / f"{name}{SUFFIX}", threads
        self._graph, self._kernel_inputs = card.graph(name), card.kernel_inputs
        self._outputs = [output.name for output in self._graph.outputs]
        self._kernels: Tensors = {}
        self._session = open_session(self._path, threads=threads)
        require_interface(self._session, self._graph, self._path)
        if not card.kernel_inputs:
            self._model = _read_model(self._path)
            self._weights = _kernel_weights(self._model, card, self._path)

    def refit(self, kernels: Tensors) -> None:
        """Take the kernels of a new target."""
        if self._kernel_inputs:
            self._kernels = dict(kernels)
            return
        for name, weight in self._weights.items():
            weight.raw_data = _encoded(kernels[name], weight)
        self._session = open_session(self._model.SerializeToString(), threads=self._threads)

    def run(self, features: Tensors) -> Tensors:
        """The maps of the features, for the kernels taken last."""
        return run_named(self._session, self._outputs, {**features, **self._kernels})


@dataclass(frozen=True)
class _Search:
    """What one search size needs: its stages in the order they run, and the input of the first."""

    stages: Tuple[Tuple[_Graph, Xcorr], ...]
    crop: Array

    @classmethod
    def open(cls, engines: Path, card: ModelCard, search: SearchCard, threads: Optional[int]) -> _Search:
        stages = tuple(
            (_Graph(engines, card.graph(stage.search), threads), Xcorr(engines, card, stage.xcorr, threads))
            for stage in search.stages
        )
        return cls(stages, np.zeros((1, 3, search.search_px, search.search_px), np.float32))


def run_named(session: InferenceSession, outputs: List[str], feeds: Tensors) -> Tensors:
    """Run a session; tensors go in and come out by name.

    Raises:
        InferenceError: ONNX Runtime failed.
    """
    try:
        return dict(zip(outputs, session.run(outputs, feeds)))
    except RUN_ERRORS as error:
        raise InferenceError(f"ONNX Runtime failed: {error}") from error


def require_interface(session: InferenceSession, graph: GraphCard, path: Path) -> None:
    """Prove that a session has the tensors its card names.

    Raises:
        EngineMismatchError: a name or shape differs.
    """
    for side, nodes, specs in (
        ("input", session.get_inputs(), graph.inputs),
        ("output", session.get_outputs(), graph.outputs),
    ):
        found = {node.name: tuple(node.shape) for node in nodes}
        wanted = {spec.name: spec.shape for spec in specs}
        if found != wanted:
            raise EngineMismatchError(
                f"{path} has the {side}s {found}, its model card says {wanted}", hint="build the engines anew"
            )


def _read_model(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(str(path))
    except (OSError, DecodeError) as error:
        raise ArtifactError(f"{path} is not a whole ONNX graph: {error}", hint="build the engines anew") from error


def _kernel_weights(model: onnx.ModelProto, card: ModelCard, path: Path) -> Dict[str, onnx.TensorProto]:
    """The initializers that a refit replaces, by name."""
    found = {weight.name: weight for weight in model.graph.initializer}
    missing = [name for name in card.kernel_names if name not in found]
    if missing:
        raise EngineMismatchError(f"{path} has no weight called {', '.join(missing)}", hint="build the engines anew")
    for name in card.kernel_names:
        if found[name].data_type not in _KERNEL_TYPES:
            kind = onnx.TensorProto.DataType.Name(found[name].data_type)
            raise EngineMismatchError(f"{path} has its {name} in {kind}, a refit writes float", hint="build it anew")
    return {name: found[name] for name in card.kernel_names}


def _encoded(kernel: Array, weight: onnx.TensorProto) -> bytes:
    """*kernel* as the bytes of an initializer of the same shape, in its type."""
    if tuple(kernel.shape) != tuple(weight.dims):
        raise InferenceError(f"{weight.name} has the shape {tuple(weight.dims)}, the target gave {tuple(kernel.shape)}")
    if weight.data_type == onnx.TensorProto.FLOAT16:
        limit = np.finfo(np.float16).max
        if not np.abs(kernel).max() <= limit:
            raise InferenceError(f"{weight.name} does not fit float16", hint="build xcorr in fp32")
        return kernel.astype(np.float16).tobytes()
    return kernel.astype(np.float32).tobytes()
