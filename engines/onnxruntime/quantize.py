"""An ONNX graph in the 8-bit form that ONNX Runtime's CPU kernels compute in integers.

Each integer node stands between DequantizeLinear and QuantizeLinear, which ONNX Runtime fuses into QLinearConv,
QLinearAdd and the like: activations unsigned with a zero point, weights signed and symmetric with a scale for each
output channel, biases int32. Signed activations would leave the convolutions in float, at full cost: a ReLU could not
vanish into them. Written with onnx alone rather than by onnxruntime.quantization, whose interface differs between the
versions of the board and of the workstation, and which quantises refitted kernels once and for all.

A processor without VNNI (AVX2 alone) adds two products in 16 bits, where unsigned times signed can saturate.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import inf
from typing import Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from engines.graph import IntegerNode, constant_values
from siamtrt import Array, ArtifactError, BuildError
from siamtrt.ranges import Ranges

_LEVELS = 255
_WEIGHT_MAX = 127
_BIAS_MAX = float(1 << 30)  # leaves room for the sum of products in 32 bits


def quantize(
    model: onnx.ModelProto, plan: Sequence[IntegerNode], ranges: Ranges, *, kernels: Sequence[str] = ()
) -> onnx.ModelProto:
    """Put the nodes of *plan* into 8 bits; inputs and outputs of the graph stay float32.

    Args:
        model: a float32 graph; not changed.
        plan: made of this graph, or of one that differs in the values of its weights alone.
        ranges: the values its activations take.
        kernels: weights that a refit replaces; they stay float32 and are quantised whenever the graph is loaded.

    Raises:
        ArtifactError: *ranges* lack a tensor that has to be quantised.
        BuildError: a correlation in 8 bits has a bias.
    """
    writer = _Writer(constant_values(model.graph), frozenset(kernels), _codes(plan, ranges))
    return writer.write(model, plan)


def raw_output(integer: IntegerNode) -> str:
    """The tensor of a quantised graph that holds what *integer* computes, before it is rounded to a byte."""
    return f"{integer.result}/raw"


@dataclass(frozen=True)
class Affine:
    """An unsigned 8-bit code: value = scale * (byte - zero)."""

    scale: float
    zero: int


def affine(low: float, high: float) -> Affine:
    """The code that spans *low* to *high*, widened to hold zero exactly.

    Args:
        low: least value, in the unit of the tensor.
        high: greatest value; they must not both be zero.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / _LEVELS
    return Affine(scale, round(-low / scale))


def quantized_weight(weight: Array, bias_steps: Array) -> tuple[Array, Array]:
    """Round a weight to signed bytes, symmetric, with a scale for each output channel.

    Args:
        weight: OxIxHxW float32.
        bias_steps: the magnitude of each channel's bias divided by the scale of the input, O float64; a channel of
            tiny weights takes a scale coarse enough for its bias to fit 32 bits.

    Returns:
        OxIxHxW int8 in -127..127, and O float32 scales.
    """
    largest = np.abs(weight).reshape(len(weight), -1).max(1).astype(np.float64)
    scales = np.maximum(np.maximum(largest / _WEIGHT_MAX, bias_steps / _BIAS_MAX), np.finfo(np.float32).tiny)
    scales = scales.astype(np.float32)
    shaped = scales.reshape(-1, *[1] * (weight.ndim - 1))
    return np.clip(np.rint(weight / shaped), -_WEIGHT_MAX, _WEIGHT_MAX).astype(np.int8), scales


def quantized_bias(bias: Array, scales: Array) -> Array:
    """Round a bias to int32 at *scales*, the products of the input's scale and the weight's; both of length O."""
    limit = np.iinfo(np.int32).max
    return np.clip(np.rint(bias / scales.astype(np.float64)), -limit, limit).astype(np.int32)


def _codes(plan: Sequence[IntegerNode], ranges: Ranges) -> dict[str, Affine]:
    """The code of each tensor that an integer node reads or yields."""
    codes: dict[str, Affine] = {}
    for integer in plan:
        for name in _activations(integer.node):
            if name not in codes:
                codes[name] = _code(name, ranges)
        if integer.node.op_type == "MaxPool":
            codes[integer.result] = codes[integer.node.input[0]]  # it passes bytes through
        else:
            codes[integer.result] = _code(integer.result, ranges, integer.low, integer.high)
    return codes


def _code(name: str, ranges: Ranges, low: float = -inf, high: float = inf) -> Affine:
    measured = ranges.tensors.get(name)
    if measured is None:
        raise ArtifactError(f"the ranges lack the tensor {name}", hint="calibrate anew, with this graph")
    return affine(max(measured.low, low), min(measured.high, high))


def _activations(node: onnx.NodeProto) -> Sequence[str]:
    names: Sequence[str] = node.input[:1] if node.op_type == "Conv" else node.input
    return names


@dataclass
class _Writer:
    """Builds the quantised graph node by node."""

    constants: dict[str, Array]
    kernels: frozenset[str]
    codes: dict[str, Affine]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    stored: dict[str, onnx.TensorProto] = field(default_factory=dict)
    uses: Counter[str] = field(default_factory=Counter)

    def write(self, model: onnx.ModelProto, plan: Sequence[IntegerNode]) -> onnx.ModelProto:
        integers = {integer.node.output[0]: integer for integer in plan}
        results = {integer.result for integer in plan}
        absorbed = results - set(integers)
        outputs = {output.name for output in model.graph.output}
        for value in model.graph.input:
            self._encode(value.name, value.name)
        for node in model.graph.node:
            if node.output[0] in absorbed:
                continue
            integer = integers.get(node.output[0])
            if integer is None:
                self._copy(node, results)
            else:
                self._compute(integer, is_output=integer.result in outputs)
        return _finished(model, self.nodes, list(self.stored.values()))

    def _copy(self, node: onnx.NodeProto, results: set[str]) -> None:
        """Keep a node in float: what it reads of integers is decoded, what integers read of it encoded."""
        self._append(node, [self._decoded(name) if name in results else name for name in node.input], node.output)
        for name in node.output:
            self._encode(name, name)

    def _compute(self, integer: IntegerNode, *, is_output: bool) -> None:
        """Put a node between codes."""
        node, raw = integer.node, raw_output(integer)
        inputs = [self._decoded(name) for name in _activations(node)]
        if node.op_type == "Conv":
            inputs += self._parameters(node)
        self._append(node, inputs, [raw])
        self._encode(raw, integer.result)
        if is_output:
            self._decode(integer.result, integer.result)

    def _parameters(self, node: onnx.NodeProto) -> list[str]:
        """The weight and bias of a convolution, in integers behind their DequantizeLinear."""
        if node.input[1] in self.kernels:
            if len(node.input) > 2:
                raise BuildError(
                    f"{node.name} correlates with a bias, which INT8 has no place for", hint="--precision int8 or fp16"
                )
            return [self._live_weight(node.input[1])]
        step, weight = self.codes[node.input[0]].scale, self.constants[node.input[1]]
        bias = self.constants[node.input[2]] if len(node.input) > 2 else np.zeros(len(weight))
        integers, scales = quantized_weight(weight, np.abs(bias) / step)
        parameters = [self._constant(f"{node.output[0]}/weight", integers, scales)]
        if len(node.input) > 2:
            bias_scales = (step * scales.astype(np.float64)).astype(np.float32)
            parameters.append(self._constant(f"{node.output[0]}/bias", quantized_bias(bias, bias_scales), bias_scales))
        return parameters

    def _live_weight(self, name: str) -> str:
        """A weight that is quantised with scales of its own when the graph is loaded, after each refit."""
        outputs = self.constants[name].shape[0]
        zero, levels = f"{name}/zero", f"{name}/levels"
        self._keep(zero, np.zeros(outputs, np.int8))
        self._keep(levels, np.array(127, np.float32))
        self._keep(f"{name}/least", np.array(1e-20, np.float32))
        for kind, inputs, output, settings in (
            ("Abs", [name], "abs", {}),
            ("ReduceMax", [f"{name}/abs"], "max", {"axes": [1, 2, 3], "keepdims": 0}),
            ("Max", [f"{name}/max", f"{name}/least"], "amax", {}),
            ("Div", [f"{name}/amax", levels], "scale", {}),
            ("QuantizeLinear", [name, f"{name}/scale", zero], "int8", {"axis": 0}),
            ("DequantizeLinear", [f"{name}/int8", f"{name}/scale", zero], "decoded", {"axis": 0}),
        ):
            self.nodes.append(helper.make_node(kind, inputs, [f"{name}/{output}"], name=f"{name}/{output}", **settings))
        return f"{name}/decoded"

    def _constant(self, name: str, integers: Array, scales: Array) -> str:
        self._keep(f"{name}/int", integers)
        self._keep(f"{name}/scale", scales)
        self._keep(f"{name}/zero", np.zeros(len(integers), integers.dtype))
        inputs = [f"{name}/int", f"{name}/scale", f"{name}/zero"]
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, [name], name=name, axis=0))
        return name

    def _encode(self, source: str, name: str) -> None:
        """Write the bytes of tensor *name*, whose float values are in *source*, if an integer node wants them."""
        code = self.codes.get(name)
        if code is None:
            return
        self._keep(f"{name}/scale", np.array(code.scale, np.float32))
        self._keep(f"{name}/zero", np.array(code.zero, np.uint8))
        inputs = [source, f"{name}/scale", f"{name}/zero"]
        self.nodes.append(helper.make_node("QuantizeLinear", inputs, [f"{name}/bytes"], name=f"{name}/bytes"))

    def _decoded(self, name: str) -> str:
        """The values of tensor *name* from its bytes, for one reader: ONNX Runtime fuses no shared decoding."""
        self.uses[name] += 1
        return self._decode(name, f"{name}/values{self.uses[name]}")

    def _decode(self, name: str, output: str) -> str:
        inputs = [f"{name}/bytes", f"{name}/scale", f"{name}/zero"]
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, [output], name=f"{output}/decode"))
        return output

    def _append(self, node: onnx.NodeProto, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        copied = onnx.NodeProto()
        copied.CopyFrom(node)
        copied.ClearField("input")
        copied.ClearField("output")
        copied.input.extend(inputs)
        copied.output.extend(outputs)
        self.nodes.append(copied)

    def _keep(self, name: str, value: Array) -> None:
        self.stored[name] = numpy_helper.from_array(value, name)


def _finished(
    model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto], stored: Sequence[onnx.TensorProto]
) -> onnx.ModelProto:
    """The graph of *nodes* with the interface of *model*, without the constants that nothing reads any more."""
    read = {name for node in nodes for name in node.input}
    weights = [weight for weight in model.graph.initializer if weight.name in read]
    graph = helper.make_graph(
        [node for node in nodes if node.op_type != "Constant" or node.output[0] in read],
        model.graph.name,
        model.graph.input,
        model.graph.output,
        [*weights, *stored],
    )
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
