"""Which nodes of an xcorr graph correlate features with the kernels of a target."""

from __future__ import annotations

from typing import Sequence, Tuple

import onnx


def correlations(model: onnx.ModelProto, refit: Sequence[str] = ()) -> Tuple[str, ...]:
    """Names of the convolutions whose weight is one of *refit* or an input of the graph."""
    kernels = {*refit, *(value.name for value in model.graph.input)}
    return tuple(node.name for node in model.graph.node if node.op_type == "Conv" and node.input[1] in kernels)
