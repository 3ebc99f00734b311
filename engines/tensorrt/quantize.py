"""Graphs that carry symmetric INT8 in quantize/dequantize pairs, the form typed TensorRT compiles to integer kernels.

Activations take one scale a tensor, weights one an output channel, both signed 8 bits with zero point 0; biases stay
floating point. A pair sits on what a convolution reads, once a tensor, so that the tensor itself is stored in 8 bits.
Source: NVIDIA's TensorRT developer guide, "Working with quantized types"; TensorRT refuses unsigned pairs and integer
biases.
"""

from __future__ import annotations

from typing import Any, Collection

import numpy as np
import onnx
from onnx import helper, numpy_helper

from siamtrt import Array, ArtifactError
from siamtrt.ranges import Ranges

_LEVELS = 127
_LEAST_SCALE = 2.0**-24  # of float16: the least it can tell from zero
_ACTIVATIONS = ("Relu", "Clip")


def quantize_symmetric(model: onnx.ModelProto, ranges: Ranges, floats: Collection[str]) -> onnx.ModelProto:
    """Put quantize/dequantize pairs before the convolutions of a float32 graph.

    Beside what convolutions read, the shortcut of a residual sum and the input of a pooling before a convolution are
    quantised, so that no float copy of them has to be kept.

    Args:
        model: float32; modified in place.
        ranges: the values its activations take.
        floats: names of the nodes whose inputs stay floating point.

    Returns:
        *model*, valid from opset 13. All scales are float16 numbers, so that conversion to float16 changes none.

    Raises:
        ArtifactError: *ranges* lack a tensor.
    """
    graph = model.graph
    writer = _Writer(graph, ranges)
    chosen = _chosen(graph, writer.weights, floats)
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        for index, name in enumerate(node.input):
            if node.op_type == "Conv" and index == 1 and name in writer.weights and _key(node, 0) in chosen:
                node.input[1] = writer.weight(name)
            elif _key(node, index) in chosen:
                node.input[index] = writer.activation(name)
        graph.node.append(node)
    writer.drop_unused()
    return model


def _chosen(graph: onnx.GraphProto, weights: Collection[str], floats: Collection[str]) -> set[str]:
    """The node inputs that take a pair, as :func:`_key` names them."""
    makers = {name: node for node in graph.node for name in node.output}
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    convolutions = [node for node in graph.node if node.op_type == "Conv" and node.name not in floats]
    chosen = {_key(node, 0) for node in convolutions}
    chosen |= {_key(node, 1) for node in convolutions if node.input[1] not in weights}
    read = {node.input[0] for node in convolutions}
    for node in graph.node:
        if node.name in floats or not _leads_to(node.output[0], read, users):
            continue
        if node.op_type == "MaxPool":
            chosen.add(_key(node, 0))
        elif node.op_type == "Add" and all(name in makers for name in node.input):
            fused = _fused(node, makers, users, floats)
            chosen |= {_key(node, index) for index in range(2) if index != fused}
    return chosen


def _leads_to(name: str, read: set[str], users: dict[str, list[onnx.NodeProto]]) -> bool:
    """Whether a chosen convolution reads the tensor, or its rectified form."""
    return name in read or any(node.op_type in _ACTIVATIONS and node.output[0] in read for node in users.get(name, ()))


def _fused(
    node: onnx.NodeProto,
    makers: dict[str, onnx.NodeProto],
    users: dict[str, list[onnx.NodeProto]],
    floats: Collection[str],
) -> int | None:
    """Which summand a convolution can add up in its own kernel: one that is read nowhere else."""
    for index in range(2):
        name = node.input[index]
        if makers[name].op_type == "Conv" and makers[name].name not in floats and len(users[name]) == 1:
            return index
    return None


def _key(node: onnx.NodeProto, index: int) -> str:
    return f"{node.output[0]}\0{index}"


class _Writer:
    """Adds pairs to a graph, one a tensor."""

    def __init__(self, graph: onnx.GraphProto, ranges: Ranges) -> None:
        self._graph, self._ranges = graph, ranges
        self.weights: dict[str, onnx.TensorProto] = {weight.name: weight for weight in graph.initializer}
        self._written: dict[str, str] = {}

    def activation(self, name: str) -> str:
        """The dequantised form of the tensor *name*."""
        if name not in self._written:
            tensor = self._ranges.tensors.get(name)
            if tensor is None:
                raise ArtifactError(f"the activation ranges leave out {name}", hint="calibrate anew")
            scale = self._constant(f"{name}/scale", _scale(np.array(tensor.amax, np.float32)))
            zero = self._constant(f"{name}/zero", np.zeros((), np.int8))
            quantized, self._written[name] = f"{name}/quantized", f"{name}/dequantized"
            self._append("QuantizeLinear", [name, scale, zero], quantized)
            self._append("DequantizeLinear", [quantized, scale, zero], self._written[name])
        return self._written[name]

    def weight(self, name: str) -> str:
        """The dequantised form of a convolution's weight, stored in 8 bits."""
        if name not in self._written:
            values = numpy_helper.to_array(self.weights[name])
            scales = _scale(np.abs(values).max(axis=(1, 2, 3)))
            stored = np.rint(values / scales[:, None, None, None]).clip(-_LEVELS, _LEVELS).astype(np.int8)
            inputs = [
                self._constant(f"{name}/quantized", stored),
                self._constant(f"{name}/scale", scales),
                self._constant(f"{name}/zero", np.zeros(len(scales), np.int8)),
            ]
            self._written[name] = f"{name}/dequantized"
            self._append("DequantizeLinear", inputs, self._written[name], axis=0)
        return self._written[name]

    def drop_unused(self) -> None:
        """Remove the float weights that nothing reads any more."""
        used = {name for node in self._graph.node for name in node.input}
        weights = [weight for weight in self._graph.initializer if weight.name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend(weights)

    def _append(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self._graph.node.append(helper.make_node(kind, inputs, [output], name=output, **attributes))

    def _constant(self, name: str, values: Array) -> str:
        self._graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name


def _scale(amax: Array) -> Array:
    """``amax / 127`` rounded up to a float16 number, as float32; nothing is clipped for the rounding."""
    exact = np.maximum(np.asarray(amax, np.float32) / _LEVELS, _LEAST_SCALE)
    near = exact.astype(np.float16)
    up = np.where(near.astype(np.float32) < exact, np.nextafter(near, np.float16(np.inf)), near)
    return np.asarray(up, np.float32)
