"""Show every crop to the graphs, as the tracker would, and count the values of every activation."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnxruntime import InferenceSession

from calibration.crops import CROPS_NAME, HISTOGRAMS_NAME, Crops, Samples
from calibration.histogram import Histogram, load_histograms, save_histograms
from runtime.crop import network_input
from siamtrt import Array, ArtifactError, GraphCard, InferenceError, ModelCard, Tensors
from siamtrt.files import sha256
from siamtrt.libraries.onnxruntime import RUN_ERRORS, open_session
from siamtrt.progress import progress_bar

_SAVE_EVERY = 25
_GROUP_BYTES = 1 << 30


@dataclass(frozen=True)
class _Value:
    """A float activation and the bytes it takes."""

    name: str
    size_bytes: int


def observe(observers: dict[str, Observer], samples: Samples, card: ModelCard, onnx: dict[str, str]) -> None:
    """Fill the observers' histograms with every crop; what was counted is saved on the way, so that a rerun goes on.

    Args:
        observers: graph -> its observer, all new.
        samples: cut; the histograms are saved in their folder.
        card: of the model.
        onnx: graph -> digest of its file; what was counted on others, or of other crops, is counted anew.

    Raises:
        InferenceError: an activation is NaN or infinite; the frame is named.
        ArtifactError: a crop or the saved histograms are damaged.
    """
    path, total = samples.folder / HISTOGRAMS_NAME, len(samples.entries)
    key = {"onnx": onnx, "samples": sha256(samples.folder / CROPS_NAME)}
    tables = {graph: observer.histograms for graph, observer in observers.items()}
    done = load_histograms(path, key, tables)
    for index in progress_bar(range(done, total), initial=done, total=total, desc="measure", unit="crop"):
        try:
            show(observers, samples.read(index), card)
        except InferenceError as error:
            entry = samples.entries[f"{index:05d}"]
            problem = f"{error.problem}, at {entry['search_frame']} of {entry['clip']}"
            raise InferenceError(problem, hint=error.hint) from error
        if (index + 1) % _SAVE_EVERY == 0 or index + 1 == total:
            save_histograms(path, key, index + 1, tables)


def show(observers: dict[str, Observer], crops: Crops, card: ModelCard) -> None:
    """Run the graphs on the crops of one target: the features of a frame meet the kernels of its own target."""
    kernels = observers[card.target.name].observe({card.target.inputs[0].name: as_input(crops.template)})
    for search in card.searches:
        if search.crop in crops.searches:
            features = {card.graph(search.crop).inputs[0].name: as_input(crops.searches[search.crop])}
            for stage in search.stages:
                features.update(observers[stage.search].observe(features))
                features.update(observers[stage.xcorr].observe({**features, **kernels}))


def as_input(patch: Array) -> Array:
    """A crop as 1x3xSxS float32."""
    tensor = np.empty((1, 3, *patch.shape[:2]), np.float32)
    network_input(patch, tensor)
    return tensor


class Observer:
    """A graph whose intermediate values are outputs too, and the histogram of each of them.

    ONNX Runtime runs it without rewriting it, so that the values are those of the exported graph: a fusion would make
    some of them vanish. Where they take more than 1 GiB together (the long-term search), each run opens several
    sessions one after the other, each showing a part of them, and computes the graph as often.

    Args:
        path: the exported graph.
        card: of the graph.
        kernels: weights that become inputs, so that each run takes the kernels of its own target.
        threads: of ONNX Runtime and of the counting; all cores when None.

    Attributes:
        histograms: value name -> histogram, inputs and outputs included; weights and constants left out.

    Raises:
        ArtifactError: the file is not a whole ONNX graph, or a value has no static type.
        BuildError: ONNX Runtime cannot run it.
    """

    def __init__(self, path: Path, card: GraphCard, kernels: tuple[str, ...], *, threads: int | None = None) -> None:
        self._path, self._card, self._kernels = path, card, kernels
        self._threads = threads or os.cpu_count()
        computed = _computed(self._graph(), path)
        self._groups = _grouped(computed)
        self._session = self._open(self._groups[0]) if len(self._groups) == 1 else None
        inputs = [spec.name for spec in card.inputs]
        self.histograms = {name: Histogram() for name in (*inputs, *(value.name for value in computed))}

    def observe(self, feeds: Tensors) -> Tensors:
        """Run the graph once and count all its values.

        Args:
            feeds: its inputs and the kernels, by name; float32.

        Returns:
            The graph's own outputs.

        Raises:
            InferenceError: ONNX Runtime failed, or a value is NaN or infinite.
        """
        inputs = {spec.name for spec in self._card.inputs}
        self._count({name: values for name, values in feeds.items() if name in inputs})
        outputs: Tensors = {}
        for group in self._groups:
            outputs.update(self._observe_group(group, feeds))
        return outputs

    def _graph(self) -> onnx.ModelProto:
        model = _read(self._path)
        _make_inputs(model, self._kernels)
        return model

    def _open(self, group: list[_Value]) -> InferenceSession:
        return open_session(_exposing(self._graph(), group), threads=self._threads, optimized=False)

    def _observe_group(self, group: list[_Value], feeds: Tensors) -> Tensors:
        """Count the values of *group*, and return those that are outputs of the graph; the others are freed."""
        session, names = self._session or self._open(group), [value.name for value in group]
        try:
            arrays = session.run(names, {node.name: feeds[node.name] for node in session.get_inputs()})
        except RUN_ERRORS as error:
            raise InferenceError(f"ONNX Runtime failed on {self._path}: {error}") from error
        values = dict(zip(names, arrays))
        self._count(values)
        return {spec.name: values[spec.name] for spec in self._card.outputs if spec.name in values}

    def _count(self, tensors: Tensors) -> None:
        """Add each tensor to its histogram; OpenCV and numpy let the other threads run meanwhile."""
        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(self._add, tensors.items()))

    def _add(self, tensor: tuple[str, Array]) -> None:
        name, values = tensor
        try:
            self.histograms[name].add(values)
        except InferenceError as error:
            raise InferenceError(f"{name} of {self._path.name} is NaN or infinite", hint=error.hint) from error


def _read(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(str(path))
    except (OSError, DecodeError) as error:
        raise ArtifactError(f"{path} is not a whole ONNX graph: {error}", hint="export it anew") from error


def _computed(model: onnx.ModelProto, path: Path) -> list[_Value]:
    """The float values that are computed from an input, in their order; what constants alone make is no activation."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    types = {value.name: value.type.tensor_type for value in (*graph.value_info, *graph.output)}
    moving = {value.name for value in graph.input} - {weight.name for weight in graph.initializer}
    computed: list[_Value] = []
    for node in graph.node:
        if not moving.intersection(node.input):
            continue
        moving.update(name for name in node.output if name)
        for name in filter(None, node.output):
            if name not in types:
                raise ArtifactError(f"{path} does not tell the type of {name}", hint="export it with static shapes")
            if types[name].elem_type == onnx.TensorProto.FLOAT:
                computed.append(_Value(name, 4 * int(np.prod([side.dim_value for side in types[name].shape.dim]))))
    return computed


def _make_inputs(model: onnx.ModelProto, kernels: tuple[str, ...]) -> None:
    """Turn the weights called *kernels* into inputs, in place; those that are inputs already stay so."""
    for weight in [weight for weight in model.graph.initializer if weight.name in kernels]:
        model.graph.input.append(onnx.helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims))
        model.graph.initializer.remove(weight)


def _grouped(values: list[_Value]) -> list[list[_Value]]:
    """Cut *values* where they would exceed the memory of one session."""
    groups: list[list[_Value]] = [[]]
    for value in values:
        if groups[-1] and sum(member.size_bytes for member in groups[-1]) + value.size_bytes > _GROUP_BYTES:
            groups.append([])
        groups[-1].append(value)
    return groups


def _exposing(model: onnx.ModelProto, group: list[_Value]) -> bytes:
    """The graph with the values of *group* as its only outputs; *model* is changed."""
    del model.graph.output[:]
    for value in group:
        model.graph.output.append(onnx.helper.make_tensor_value_info(value.name, onnx.TensorProto.FLOAT, None))
    return bytes(model.SerializeToString())
