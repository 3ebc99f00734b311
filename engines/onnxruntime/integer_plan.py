"""Which nodes of a graph compute in integers, and which activations vanish into them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import inf
from typing import Dict, List, Optional, Sequence, Set, Tuple

import numpy as np
import onnx
from onnx import numpy_helper

from siamtrt import Array

_FOLLOWERS = ("Add", "Concat", "MaxPool")  # in integers where all they read is


@dataclass(frozen=True)
class IntegerNode:
    """A node that is computed in integers.

    Attributes:
        node: as it is in the graph.
        result: the tensor it yields: its own output, or that of the activation it absorbed.
        low: all values at or below it mean the same to whoever reads the result; minus infinity if none do.
        high: likewise at or above.
    """

    node: onnx.NodeProto
    result: str
    low: float = -inf
    high: float = inf


def integer_nodes(graph: onnx.GraphProto, floats: Sequence[str]) -> List[IntegerNode]:
    """Choose the nodes of *graph* to compute in integers.

    Every convolution with constant weights is; sums, concatenations and maxima are where all their inputs come from
    integers. A ReLU or clip that alone reads such a node is absorbed: an 8-bit result that starts at its lower bound
    and ends at its upper one saturates just there.

    Args:
        graph: topologically sorted, as ONNX demands.
        floats: names of nodes that stay in floating point.
    """
    constants, readers = constant_values(graph), _readers(graph)
    found: List[IntegerNode] = []
    results: Set[str] = set()
    for node in graph.node:
        if node.name in floats or not _computes_in_integers(node, constants, results):
            continue
        chosen = _with_activation(node, readers[node.output[0]], constants)
        found.append(chosen)
        results.add(chosen.result)
    return found


def last_convolutions(graph: onnx.GraphProto) -> List[str]:
    """Names of the convolutions with no convolution between them and an output of *graph*, in the order they run."""
    makers = {name: node for node in graph.node for name in node.output}
    found: Set[str] = set()
    pending = [output.name for output in graph.output]
    while pending:
        node = makers.get(pending.pop())
        if node is not None and node.op_type == "Conv":
            found.add(node.name)
        elif node is not None:
            pending += node.input
    return [node.name for node in graph.node if node.name in found]


def constant_values(graph: onnx.GraphProto) -> Dict[str, Array]:
    """The tensors of *graph* that never change: initializers and the outputs of Constant nodes."""
    values = {weight.name: numpy_helper.to_array(weight) for weight in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            values[node.output[0]] = numpy_helper.to_array(onnx.helper.get_node_attr_value(node, "value"))
    return values


def _computes_in_integers(node: onnx.NodeProto, constants: Dict[str, Array], results: Set[str]) -> bool:
    if node.op_type == "Conv":
        return node.input[1] in constants
    return node.op_type in _FOLLOWERS and all(name in results for name in node.input)


def _readers(graph: onnx.GraphProto) -> Dict[str, List[Optional[onnx.NodeProto]]]:
    """Tensor -> the nodes that read it; None stands for the caller, who reads the outputs of the graph."""
    readers: Dict[str, List[Optional[onnx.NodeProto]]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    for output in graph.output:
        readers[output.name].append(None)
    return readers


def _with_activation(
    node: onnx.NodeProto, readers: Sequence[Optional[onnx.NodeProto]], constants: Dict[str, Array]
) -> IntegerNode:
    alone = readers[0] if len(readers) == 1 else None
    bounds = _bounds(alone, constants) if alone is not None and node.op_type in ("Conv", "Add") else None
    if alone is None or bounds is None:
        return IntegerNode(node, node.output[0], low=_floor_of_hard_swish(readers))
    return IntegerNode(node, alone.output[0], *bounds)


def _floor_of_hard_swish(readers: Sequence[Optional[onnx.NodeProto]]) -> float:
    """Where ``x * HardSigmoid(x)`` becomes zero for good, if nothing else reads x; else minus infinity."""
    gates = {node.output[0]: node for node in readers if node is not None and node.op_type == "HardSigmoid"}
    products = [node for node in readers if node is not None and node.op_type == "Mul"]
    if len(gates) != 1 or len(products) != 1 or len(readers) != 2 or not set(gates) & set(products[0].input):
        return -inf
    settings: Dict[str, float] = {each.name: each.f for each in next(iter(gates.values())).attribute}
    return -settings.get("beta", 0.5) / settings.get("alpha", 0.2)


def _bounds(node: onnx.NodeProto, constants: Dict[str, Array]) -> Optional[Tuple[float, float]]:
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
