"""An ONNX graph in half precision, float32 at its borders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

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


def to_float16(
    model: onnx.ModelProto,
    float32_operators: Sequence[str] = _FLOAT32_OPERATORS,
    float32_nodes: Sequence[str] = (),
) -> onnx.ModelProto:
    """Convert weights and arithmetic of *model* to float16; inputs and outputs stay float32.

    Args:
        model: a float32 graph; modified in place, as the converter does.
        float32_operators: those that stay as they are.
        float32_nodes: names of nodes that stay as they are too.

    Returns:
        The converted graph, valid again. Initializers keep their names, so a kernel is found by that of the model card.

    Raises:
        BuildError: a weight does not fit float16, or the converter refuses the graph.
    """
    _require_fit(model)
    rest = _Rest.cut(model.graph, float32_nodes)
    try:
        converted: onnx.ModelProto = convert_float_to_float16(
            model, keep_io_types=True, op_block_list=list(float32_operators)
        )
    except (ValueError, RuntimeError) as error:
        raise BuildError(f"the graph cannot be converted to float16: {error}", hint="--precision fp32") from error
    rest.put_back(converted.graph)
    OnnxModel.graph_topological_sort(converted.graph)  # the converter appends its casts at the end
    onnx.checker.check_model(converted)
    return converted


@dataclass(frozen=True)
class _Rest:
    """The end of a graph that stays float32, taken out of it while the converter is at work.

    The converter's own list of nodes to leave alone rounds every tensor between two of them.
    """

    nodes: Sequence[onnx.NodeProto]
    weights: Sequence[onnx.TensorProto]
    outputs: Sequence[onnx.ValueInfoProto]

    @classmethod
    def cut(cls, graph: onnx.GraphProto, names: Sequence[str]) -> _Rest:
        """Take the nodes called *names*, which no other reads, out of *graph*; what they read becomes an output."""
        nodes = [node for node in graph.node if node.name in names]
        if not nodes:
            return cls((), (), tuple(graph.output))
        outputs = [_copied(output) for output in graph.output]
        made = {name for node in nodes for name in node.output}
        others = [node for node in graph.node if node.name not in names]
        read, kept = ({name for node in side for name in node.input} for side in (nodes, others))
        weights = [weight for weight in graph.initializer if weight.name in read - kept]
        stay = [output for output in outputs if output.name not in made]
        border = read & {name for node in others for name in node.output} - {output.name for output in stay}
        copies = [_copied(part) for part in (*nodes, *weights)]
        for node in nodes:
            graph.node.remove(node)
        for weight in weights:
            graph.initializer.remove(weight)
        del graph.output[:]
        graph.output.extend(stay)
        values = {value.name: value for value in graph.value_info}
        graph.output.extend(values[name] for name in sorted(border))
        for name in made & set(values):
            graph.value_info.remove(values[name])
        return cls(copies[: len(nodes)], copies[len(nodes) :], outputs)

    def put_back(self, graph: onnx.GraphProto) -> None:
        """Add what was taken out to *graph*, in place, with the outputs it had."""
        graph.node.extend(self.nodes)
        graph.initializer.extend(self.weights)
        del graph.output[:]
        graph.output.extend(self.outputs)


def _copied(part: Any) -> Any:
    copy = type(part)()
    copy.CopyFrom(part)
    return copy


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
