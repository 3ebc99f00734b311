"""Which nodes of an xcorr graph correlate features with the kernels of a target."""

from __future__ import annotations

from typing import Sequence, Tuple

import onnx

from siamtrt import BuildError


def correlations(model: onnx.ModelProto, refit: Sequence[str] = ()) -> Tuple[str, ...]:
    """Names of the convolutions whose weight is one of *refit* or an input of the graph.

    Raises:
        BuildError: one has no name, so that it could not be told from others.
    """
    kernels = {*refit, *(value.name for value in model.graph.input)}
    found = [node for node in model.graph.node if node.op_type == "Conv" and node.input[1] in kernels]
    for node in found:
        if not node.name:
            raise BuildError(f"the correlation that gives {node.output[0]} has no name", hint="export the model anew")
    return tuple(node.name for node in found)
