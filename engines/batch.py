"""Graphs that serve several targets at once: a batch of crops in, and the kernels of all targets beside each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Collection

import onnx
from onnx import helper

from engines.graph import correlations
from siamtrt import BuildError, GraphCard, ModelCard, TensorSpec, UsageError
from siamtrt.card import TARGET


def for_targets(card: ModelCard, targets: int) -> ModelCard:
    """The card of the graphs that :func:`batched` makes; the target graph stays as it is.

    Raises:
        UsageError: kernels are weights, so that each target needs a graph of its own; or the model has exits.
    """
    if targets == 1:
        return card
    if card.search.has_exits:
        raise UsageError(f"{card.name} stops each target at an exit of its own", hint="--targets 1")
    if not card.kernel_inputs:
        raise UsageError(
            f"{card.name} has its kernels as weights, so its engines follow one target each",
            hint="export with --kernel-inputs",
        )

    def wide(graph: GraphCard) -> GraphCard:
        if graph.role == TARGET:
            return graph
        sides = ((_wide(spec, targets) for spec in side) for side in (graph.inputs, graph.outputs))
        inputs, outputs = (tuple(side) for side in sides)
        return replace(graph, inputs=inputs, outputs=outputs, macs=graph.macs and targets * graph.macs)

    return replace(card, targets=targets, graphs=tuple(wide(graph) for graph in card.graphs))


def batched(model: onnx.ModelProto, kernels: Collection[str], targets: int) -> onnx.ModelProto:
    """A graph that does for *targets* crops what *model* does for one.

    A correlation becomes one over the channels of all targets, in as many times the groups, so that each meets its own
    kernels; everything else computes on a batch as it is.

    Args:
        model: of one crop, in any precision.
        kernels: names of its inputs that are kernels.
        targets: how many.

    Returns:
        A new model; the first dimension of inputs and outputs is *targets* times what it was.

    Raises:
        BuildError: something in it does not compute on a batch.
    """
    if targets == 1:
        return model
    shapes = _shapes(model)
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    graph = wide.graph
    del graph.value_info[:]
    for value in (*graph.input, *graph.output):
        first = value.type.tensor_type.shape.dim[0]
        first.dim_value = targets * first.dim_value
    matched = set(_correlations(model, kernels))
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes += _over_all_targets(wide, node, shapes, targets) if node.name in matched else [node]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    _require_batch(wide)
    return wide


def _wide(spec: TensorSpec, targets: int) -> TensorSpec:
    return replace(spec, shape=(targets * spec.shape[0], *spec.shape[1:]))


def _correlations(model: onnx.ModelProto, kernels: Collection[str]) -> list[str]:
    """Convolutions whose weight comes from an input, be it by way of a cast or a quantisation."""
    source = {output: node.input[0] for node in model.graph.node if node.input for output in node.output}
    found = correlations(model)

    def origin(name: str) -> str:
        while name not in kernels and name in source:
            name = source[name]
        return name

    by_way = [node for node in model.graph.node if node.op_type == "Conv" and origin(node.input[1]) in kernels]
    return [*found, *(node.name for node in by_way if node.name not in found)]


def _over_all_targets(
    model: onnx.ModelProto, node: onnx.NodeProto, shapes: dict[str, list[int]], targets: int
) -> list[onnx.NodeProto]:
    feature, output = node.input[0], node.output[0]
    _, channels, *sides = shapes[feature]
    _, out_channels, *out_sides = shapes[output]
    joined, apart = f"{output}/targets", f"{output}/joined"
    wide = onnx.NodeProto()
    wide.CopyFrom(node)
    wide.input[0], wide.output[0] = joined, apart
    groups = next((attribute for attribute in wide.attribute if attribute.name == "group"), None)
    if groups is None:
        wide.attribute.append(helper.make_attribute("group", targets))
    else:
        groups.i *= targets
    lists = {f"{joined}/shape": [1, targets * channels, *sides], f"{apart}/shape": [targets, out_channels, *out_sides]}
    for name, values in lists.items():
        model.graph.initializer.append(helper.make_tensor(name, onnx.TensorProto.INT64, [len(values)], values))
    return [
        helper.make_node("Reshape", [feature, f"{joined}/shape"], [joined], name=joined),
        wide,
        helper.make_node("Reshape", [apart, f"{apart}/shape"], [output], name=apart),
    ]


def _shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = (*graph.value_info, *graph.input, *graph.output)
    return {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values}


def _require_batch(model: onnx.ModelProto) -> None:
    """Prove that the shapes work out, the outputs as they were declared."""
    try:
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        problem = f"{model.graph.name} does not compute on a batch: {error}"
        raise BuildError(problem, hint="build it for one target") from error
