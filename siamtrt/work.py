"""How much arithmetic an ONNX graph is, and how many weights it holds. Import it by name: it needs onnx.

Multiply-accumulates are those of convolutions and matrix products, counted from the graph itself, since backends
pad and rename.
"""

from __future__ import annotations

from typing import Collection, Dict, Tuple

import numpy as np
import onnx

_CONVOLUTIONS = ("Conv", "FusedConv", "QLinearConv")
_PRODUCTS = ("Gemm", "MatMul")


def node_macs(model: onnx.ModelProto) -> Dict[str, int]:
    """Multiply-accumulates of each convolution and matrix product, by the name of its output, in the order they run."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    shapes: Dict[str, Tuple[int, ...]] = {weight.name: tuple(weight.dims) for weight in inferred.initializer}
    for value in (*inferred.value_info, *inferred.input, *inferred.output):
        shapes[value.name] = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
    counts: Dict[str, int] = {}
    for node in inferred.node:
        output = int(np.prod(shapes.get(node.output[0], ())))
        if node.op_type in _CONVOLUTIONS:
            weight = node.input[3] if node.op_type == "QLinearConv" else node.input[1]
            counts[node.output[0]] = output * int(np.prod(shapes[weight][1:]))
        elif node.op_type in _PRODUCTS:
            counts[node.output[0]] = output * shapes[node.input[0]][-1]
    return counts


def macs(model: onnx.ModelProto) -> int:
    """Multiply-accumulates of one run of *model*."""
    return sum(node_macs(model).values())


def parameters(model: onnx.ModelProto, kernels: Collection[str] = ()) -> int:
    """Weights and biases of *model* that training made: float tensors, without the *kernels* that a target brings."""
    return sum(
        int(np.prod(weight.dims))
        for weight in model.graph.initializer
        if weight.dims and weight.data_type == onnx.TensorProto.FLOAT and weight.name not in kernels
    )
