"""Export one torch module as one checked ONNX graph with stable names."""

from __future__ import annotations

import io
import warnings

import onnx
import torch

from export.graphs import TracedGraph
from siamtrt import BuildError

OPSET = 13
_WRAPPER = "network."


def to_onnx(graph: TracedGraph) -> onnx.ModelProto:
    """Export with static shapes at opset 13.

    A convolution and its output are called after the parameter that is its weight, everything else after the node
    before it, so that layers have the same telling names in every export and report. Kernels keep their names.

    Args:
        graph: without batch norms, see :func:`export.fold_norms.fold_norms`.

    Raises:
        BuildError: the exporter or the ONNX checker refuses the graph, or a name of the contract got lost.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter that traces is on its way out, but the other one cannot write opset 13.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph.module,
            tuple(graph.inputs.values()),
            buffer,  # type: ignore[arg-type]  # its annotation leaves out streams
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(buffer.getvalue())
    _name_after_weights(model.graph)
    try:
        onnx.checker.check_model(model, full_check=True)
        model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise BuildError(f"the exported {graph.name} graph is not valid ONNX: {error}") from error
    _require_names(model, graph)
    return model


def _name_after_weights(graph: onnx.GraphProto) -> None:
    """Rename weights, nodes and the tensors between them, in place; inputs, outputs and kernels keep their names."""
    renamed = {tensor.name: tensor.name.removeprefix(_WRAPPER) for tensor in graph.initializer}
    for tensor in graph.initializer:
        tensor.name = renamed[tensor.name]
    fixed = {value.name for value in graph.output}
    taken: set[str] = set()
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.name = _unique(_telling_name(node), taken)
        for place, output in enumerate(list(node.output)):
            if output not in fixed:
                renamed[output] = node.output[place] = node.name if place == 0 else f"{node.name}.{place}"


def _telling_name(node: onnx.NodeProto) -> str:
    if node.op_type == "Constant":
        return "constant"
    if len(node.input) > 1 and node.input[1].endswith(".weight"):
        return str(node.input[1].removesuffix(".weight"))
    if len(node.input) > 1 and node.input[1].startswith("kernel_"):
        return str(node.input[1].replace("kernel_", "correlation_"))
    return f"{node.input[0]}/{node.op_type}"


def _unique(name: str, taken: set[str]) -> str:
    numbered, count = name, 1
    while numbered in taken:
        count += 1
        numbered = f"{name}_{count}"
    taken.add(numbered)
    return numbered


def _require_names(model: onnx.ModelProto, graph: TracedGraph) -> None:
    names = [value.name for value in (*model.graph.input, *model.graph.output)]
    wanted = [*graph.inputs, *graph.outputs]
    if names != wanted:
        raise BuildError(f"the exported {graph.name} graph has the tensors {names}, expected {wanted}")
