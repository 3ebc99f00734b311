"""An ONNX graph in half precision, float32 at its borders."""

from __future__ import annotations

from typing import Sequence

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from siamtrt import BuildError

# With its bounds in float16 ONNX Runtime no longer fuses a Clip (ReLU6) into the convolution before it, which costs a
# quarter of the time of a graph full of them; the values are the same either way.
_FLOAT32_OPERATORS = (*DEFAULT_OP_BLOCK_LIST, "Clip")
TENSORRT_FLOAT32_OPERATORS = tuple(DEFAULT_OP_BLOCK_LIST)


def to_float16(model: onnx.ModelProto, float32_operators: Sequence[str] = _FLOAT32_OPERATORS) -> onnx.ModelProto:
    """Convert weights and arithmetic of *model* to float16; inputs and outputs stay float32.

    Args:
        model: a float32 graph; modified in place, as the converter does.
        float32_operators: those that stay as they are.

    Returns:
        The converted graph, valid again. Initializers keep their names, so a kernel is found by that of the model card.

    Raises:
        BuildError: a weight does not fit float16, or the converter refuses the graph.
    """
    _require_fit(model)
    try:
        converted: onnx.ModelProto = convert_float_to_float16(
            model, keep_io_types=True, op_block_list=list(float32_operators)
        )
    except (ValueError, RuntimeError) as error:
        raise BuildError(f"the graph cannot be converted to float16: {error}", hint="--precision fp32") from error
    OnnxModel.graph_topological_sort(converted.graph)  # the converter appends its casts at the end
    onnx.checker.check_model(converted)
    return converted


def _require_fit(model: onnx.ModelProto) -> None:
    """Refuse weights that the converter would clamp without a word."""
    highest = float(np.finfo(np.float16).max)
    for weight in model.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT:
            amax = float(np.abs(numpy_helper.to_array(weight)).max(initial=0.0))
            if not amax <= highest:
                raise BuildError(
                    f"weight {weight.name} reaches {amax:g}, float16 only {highest:g}", hint="--precision fp32"
                )
