"""An exported graph as the builders see it: what to build of it, what correlates in it, what computes in integers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Collection, Mapping, Sequence

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from engines.int8 import Int8
from siamtrt import Array, ArtifactError, BuildError, GraphCard, Precision
from siamtrt.card import XCORR

_FOLLOWERS = ("Add", "Concat", "MaxPool")  # in integers where all they read is


@dataclass(frozen=True)
class GraphJob:
    """One engine to build.

    Attributes:
        source: the exported float32 graph, an ONNX file.
        graph: its interface; inputs and outputs stay float32.
        precision: what it shall compute in.
        out: the engine file to write, whole or not at all.
        refit: the weights that have to stay replaceable in the engine, by name.
        features: its tensors that go from search to xcorr, by name.
        kernels: its inputs that are kernels, by name.
        targets: how many targets a run of the engine serves, see :mod:`engines.batch`.
        int8: what INT8 needs beside the graph; None exactly where the precision is another one.
        scores: outputs that decide where a search stops; what only they need stays float32.
    """

    source: Path
    graph: GraphCard
    precision: Precision
    out: Path
    refit: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()
    targets: int = 1
    int8: Int8 | None = None
    scores: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.precision.is_int8 != (self.int8 is not None):
            raise ValueError(f"{self.graph.name} in {self.precision.value} with activation ranges {self.int8}")


def read_graph(path: Path) -> onnx.ModelProto:
    """Read an ONNX file.

    Raises:
        ArtifactError: it is absent, truncated or not ONNX.
    """
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except (OSError, DecodeError, onnx.checker.ValidationError) as error:
        raise ArtifactError(f"{path} is not a whole ONNX graph: {error}", hint="export the model anew") from error
    return model


def correlations(model: onnx.ModelProto, refit: Sequence[str] = ()) -> list[str]:
    """Names of the convolutions whose weight is one of *refit* or an input of the graph.

    Raises:
        BuildError: one has no name, so that it could not be told from others.
    """
    kernels = {*refit, *(value.name for value in model.graph.input)}
    nodes = [node for node in model.graph.node if node.op_type == "Conv" and node.input[1] in kernels]
    for node in nodes:
        if not node.name:
            raise BuildError(f"the correlation that gives {node.output[0]} has no name", hint="export the model anew")
    return [node.name for node in nodes]


def float_correlations(model: onnx.ModelProto, precision: Precision, refit: Sequence[str]) -> list[str]:
    """The correlations that INT8 leaves in floating point: all of them, or none for ``int8-all``."""
    return correlations(model, refit) if precision is Precision.INT8 else []


def float_layers(
    model: onnx.ModelProto, role: str, precision: Precision, refit: Sequence[str], scores: Collection[str] = ()
) -> list[str]:
    """The convolutions that an INT8 engine of ONNX Runtime computes in floating point without being asked to.

    The last ones before the maps of the tracker, since an integer kernel of ONNX Runtime can only yield bytes, and a
    byte is too coarse for a box: they are 0.1 to 0.4 % of the work and half of the loss. Short of ``int8-all`` the
    correlations too.
    """
    if role != XCORR:
        return []
    return [*last_convolutions(model.graph, scores), *float_correlations(model, precision, refit)]


def score_nodes(graph: onnx.GraphProto, scores: Collection[str]) -> list[str]:
    """Names of the nodes that no output of *graph* but *scores* depends on.

    They are a thousandth of the work, and half precision would make zeros of the moments of a map.
    """
    if not scores:
        return []
    makers = {name: node for node in graph.node for name in node.output}
    needed: set[str] = set()
    pending = [output.name for output in graph.output if output.name not in scores]
    while pending:
        node = makers.get(pending.pop())
        if node is not None and node.name not in needed:
            needed.add(node.name)
            pending += node.input
    return [node.name for node in graph.node if node.name not in needed]


def last_convolutions(graph: onnx.GraphProto, scores: Collection[str] = ()) -> list[str]:
    """Names of the convolutions with no convolution between them and an output of *graph*, in the order they run.

    Outputs that are *scores* are left aside: they read what other layers leave.
    """
    makers = {name: node for node in graph.node for name in node.output}
    last: set[str] = set()
    pending = [output.name for output in graph.output if output.name not in scores]
    while pending:
        node = makers.get(pending.pop())
        if node is not None and node.op_type == "Conv":
            last.add(node.name)
        elif node is not None:
            pending += node.input
    return [node.name for node in graph.node if node.name in last]


@dataclass(frozen=True)
class IntegerNode:
    """A node that is computed in integers.

    Attributes:
        node: as it is in the graph.
        result: the tensor it yields: its own output, or that of the activation it absorbed.
        low: whoever reads the result takes all values below for this one; minus infinity if they tell them apart.
        high: whoever reads the result takes all values above for this one; infinity if they tell them apart.
    """

    node: onnx.NodeProto
    result: str
    low: float = -inf
    high: float = inf


def integer_nodes(graph: onnx.GraphProto) -> list[IntegerNode]:
    """Plan which nodes of *graph* compute in integers; see :func:`without` for exceptions.

    Every convolution with constant weights does; sums, concatenations and maxima do where all their inputs come from
    integers. A ReLU or clip that alone reads such a node is absorbed: an 8-bit result that starts at its lower bound
    and ends at its upper one saturates just there.

    Args:
        graph: topologically sorted, as ONNX demands.
    """
    constants, readers = constant_values(graph), _readers(graph)
    candidates = [
        _with_activation(node, readers[node.output[0]], constants)
        for node in graph.node
        if node.op_type in _FOLLOWERS or (node.op_type == "Conv" and node.input[1] in constants)
    ]
    return without(candidates, ())


def without(plan: Sequence[IntegerNode], floats: Collection[str]) -> list[IntegerNode]:
    """*plan* without the nodes called *floats*, and without those that no longer read integers alone."""
    rest: list[IntegerNode] = []
    results: set[str] = set()
    for integer in plan:
        reads_integers = integer.node.op_type == "Conv" or all(name in results for name in integer.node.input)
        if integer.node.name not in floats and reads_integers:
            rest.append(integer)
            results.add(integer.result)
    return rest


def constant_values(graph: onnx.GraphProto) -> dict[str, Array]:
    """The tensors of *graph* that never change: initializers and the outputs of Constant nodes."""
    values = {weight.name: numpy_helper.to_array(weight) for weight in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            values[node.output[0]] = numpy_helper.to_array(onnx.helper.get_node_attr_value(node, "value"))
    return values


def _readers(graph: onnx.GraphProto) -> Mapping[str, list[onnx.NodeProto | None]]:
    """Tensor -> the nodes that read it; None stands for the caller, who reads the outputs of the graph."""
    readers: defaultdict[str, list[onnx.NodeProto | None]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    for output in graph.output:
        readers[output.name].append(None)
    return readers


def _with_activation(
    node: onnx.NodeProto, readers: Sequence[onnx.NodeProto | None], constants: Mapping[str, Array]
) -> IntegerNode:
    alone = readers[0] if len(readers) == 1 else None
    bounds = _bounds(alone, constants) if alone is not None and node.op_type in ("Conv", "Add") else None
    if alone is None or bounds is None:
        return IntegerNode(node, node.output[0], low=_floor_of_hard_swish(readers))
    return IntegerNode(node, alone.output[0], *bounds)


def _floor_of_hard_swish(readers: Sequence[onnx.NodeProto | None]) -> float:
    """Where ``x * HardSigmoid(x)`` becomes zero for good, if nothing else reads x; else minus infinity."""
    gates = {node.output[0]: node for node in readers if node is not None and node.op_type == "HardSigmoid"}
    products = [node for node in readers if node is not None and node.op_type == "Mul"]
    if len(gates) != 1 or len(products) != 1 or len(readers) != 2 or not set(gates) & set(products[0].input):
        return -inf
    settings: dict[str, float] = {attribute.name: attribute.f for attribute in next(iter(gates.values())).attribute}
    return -settings.get("beta", 0.5) / settings.get("alpha", 0.2)


def _bounds(node: onnx.NodeProto, constants: Mapping[str, Array]) -> tuple[float, float] | None:
    """What an activation clips to; None if it does anything else, or would clip away zero."""
    if node.op_type == "Relu":
        return 0.0, inf
    if node.op_type != "Clip" or not all(name in constants for name in node.input[1:] if name):
        return None
    low, high = (
        float(np.asarray(constants[node.input[index]])) if len(node.input) > index and node.input[index] else default
        for index, default in ((1, -inf), (2, inf))
    )
    return (low, high) if low <= 0 <= high else None
