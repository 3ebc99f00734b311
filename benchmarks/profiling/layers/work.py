"""How much arithmetic each layer of an ONNX graph is: from the graph itself, since backends pad and rename."""

from __future__ import annotations

import re
from typing import Dict

import onnx

from siamtrt.work import node_macs

# What ONNX Runtime's optimisers put around the name of a node: precision, layout, and fusion.
_ADDED = re.compile(r"^(InsertedPrecisionFreeCast_|fused )|(_nchwc|_token_\d+)$")
_FUSED_BEHIND = ("Relu", "Clip", "Sigmoid", "Cast")


def macs_of(model: onnx.ModelProto) -> Dict[str, int]:
    """Multiply-accumulates of each convolution and matrix product, by node name and by output.

    The activations and casts behind one are listed with the same number: a backend that fuses them names the result
    after the last of them. So look a name up only for a layer that computes products.
    """
    by_output = node_macs(model)
    counts = dict(by_output)
    for node in model.graph.node:
        if node.output[0] in by_output:
            counts[node.name] = by_output[node.output[0]]
        elif node.op_type in _FUSED_BEHIND and node.input[0] in counts:
            counts[node.name] = counts[node.output[0]] = counts[node.input[0]]
    return counts


def original_name(name: str) -> str:
    """The node of the file that a node of ONNX Runtime's optimised graph came from."""
    return _ADDED.sub("", name)
