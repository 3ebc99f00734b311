"""How much arithmetic each layer of an ONNX graph is: from the graph itself, since backends pad and rename."""

from __future__ import annotations

import re
from typing import Dict, Tuple

import numpy as np
import onnx

_CONVOLUTIONS = ("Conv", "FusedConv", "QLinearConv")
_PRODUCTS = ("Gemm", "MatMul")
# What ONNX Runtime's optimisers put around the name of a node: precision, layout, and fusion.
_ADDED = re.compile(r"^(InsertedPrecisionFreeCast_|fused )|(_nchwc|_token_\d+)$")
_FUSED_BEHIND = ("Relu", "Clip", "Sigmoid", "Cast")


def macs_of(model: onnx.ModelProto) -> Dict[str, int]:
    """Multiply-accumulates of each convolution and matrix product, by node name and by output.

    The activations and casts behind one are listed with the same number: a backend that fuses them names the result
    after the last of them. So look a name up only for a layer that computes products.
    """
    inferred = onnx.shape_inference.infer_shapes(model)
    shapes: Dict[str, Tuple[int, ...]] = {weight.name: tuple(weight.dims) for weight in inferred.graph.initializer}
    for value in (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output):
        shapes[value.name] = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
    found: Dict[str, int] = {}
    for node in inferred.graph.node:
        output = int(np.prod(shapes.get(node.output[0], ())))
        if node.op_type in _CONVOLUTIONS:
            weight = node.input[3] if node.op_type == "QLinearConv" else node.input[1]
            found[node.name] = found[node.output[0]] = output * int(np.prod(shapes[weight][1:]))
        elif node.op_type in _PRODUCTS:
            found[node.name] = found[node.output[0]] = output * shapes[node.input[0]][-1]
        elif node.op_type in _FUSED_BEHIND and node.input[0] in found:
            found[node.name] = found[node.output[0]] = found[node.input[0]]
    return found


def original_name(name: str) -> str:
    """The node of the file that a node of ONNX Runtime's optimised graph came from."""
    return _ADDED.sub("", name)
