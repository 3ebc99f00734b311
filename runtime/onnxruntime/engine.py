"""One graph in a session of ONNX Runtime, its tensors bound by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from siamtrt import Array, ArtifactError, EngineMismatchError, GraphCard, InferenceError, Tensors
from siamtrt.libraries.onnxruntime import RUN_ERRORS, open_session

SUFFIX = ".onnx"
_KERNEL_TYPES = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)


class Engine:
    """A graph whose tensors are the card's; opened anew with each refit.

    Args:
        path: of the graph.
        graph: what the model card says of it.
        weights: names of the weights that a refit replaces.
        threads: of each operator; all cores when None.

    Raises:
        ArtifactError: the file is not a whole graph.
        EngineMismatchError: it does not have the tensors or weights that the card names.

    Attributes:
        name: of the graph.
        runs: how often it has run.
    """

    def __init__(
        self, path: Path, graph: GraphCard, weights: Sequence[str] = (), *, threads: int | None = None
    ) -> None:
        self._path, self._threads = path, threads
        self.name, self.runs = graph.name, 0
        self._inputs, self._outputs = ([spec.name for spec in side] for side in (graph.inputs, graph.outputs))
        self._session = open_session(path, threads=threads)
        self._require_interface(graph)
        self._weights: dict[str, onnx.TensorProto] = {}
        if weights:
            self._model = _read_model(path)
            self._weights = _kernel_weights(self._model, weights, path)

    def run(self, tensors: Tensors) -> Tensors:
        """The outputs by name.

        Args:
            tensors: the inputs by name; others are left aside.

        Raises:
            InferenceError: ONNX Runtime failed.
        """
        feeds = {name: tensors[name] for name in self._inputs if name in tensors}
        self.runs += 1
        try:
            return dict(zip(self._outputs, self._session.run(self._outputs, feeds)))
        except RUN_ERRORS as error:
            raise InferenceError(f"ONNX Runtime failed: {error}") from error

    def refit(self, kernels: Tensors) -> None:
        """Replace the weights by the kernels of the same names; nothing where the graph has none to replace.

        Raises:
            InferenceError: a kernel has another shape, or does not fit the weight's type.
        """
        if self._weights:
            for name, weight in self._weights.items():
                weight.raw_data = _encoded(kernels[name], weight)
            self._session = open_session(self._model.SerializeToString(), threads=self._threads)

    def _require_interface(self, graph: GraphCard) -> None:
        for side, nodes, specs in (
            ("input", self._session.get_inputs(), graph.inputs),
            ("output", self._session.get_outputs(), graph.outputs),
        ):
            shapes = {node.name: tuple(node.shape) for node in nodes}
            wanted = {spec.name: spec.shape for spec in specs}
            if shapes != wanted:
                raise EngineMismatchError(
                    f"{self._path} has the {side}s {shapes}, its model card says {wanted}",
                    hint="build the engines anew",
                )


def _read_model(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(str(path))
    except (OSError, DecodeError) as error:
        raise ArtifactError(f"{path} is not a whole ONNX graph: {error}", hint="build the engines anew") from error


def _kernel_weights(model: onnx.ModelProto, names: Sequence[str], path: Path) -> dict[str, onnx.TensorProto]:
    """The initializers that a refit replaces, by name."""
    weights = {weight.name: weight for weight in model.graph.initializer if weight.name in names}
    missing = [name for name in names if name not in weights]
    if missing:
        raise EngineMismatchError(f"{path} has no weight called {', '.join(missing)}", hint="build the engines anew")
    for name, weight in weights.items():
        if weight.data_type not in _KERNEL_TYPES:
            kind = onnx.TensorProto.DataType.Name(weight.data_type)
            raise EngineMismatchError(f"{path} has its {name} in {kind}, a refit writes float", hint="build it anew")
    return weights


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
