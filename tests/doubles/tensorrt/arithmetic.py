"""What a plan by flags computes: FP16 and INT8 written into the graph, since ONNX Runtime knows no flags.

INT8 is the symmetric form: signed 8 bits by the scales that the build was given, a scale an output channel for weights.
Weight scales are made anew with each refit; no source says whether TensorRT does so.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engines.tensorrt.quantize import quantize_symmetric
from siamtrt.ranges import Ranges, TensorRange

_FLOAT16_PAIRS = 19  # the first opset whose pairs may be in float16


def computed(model, settings):
    """The graph that a plan computes, of the float32 graph it was built from, its kernels replaced by a refit."""
    computed = onnx.ModelProto()
    computed.CopyFrom(model)
    if settings["typed"]:
        return _newer(computed)
    flags = settings["flags"]
    if "INT8" in flags and not settings["only_reformats"]:
        computed = quantize_symmetric(computed, _ranges(settings["scales"]), _floats(computed, settings))
    if "FP16" in flags:
        _round(computed, {name for name, kind in settings["pins"].items() if kind == "FLOAT"})
    return computed


def _round(model, pinned):
    """Round what nodes put out to float16, but those of *pinned*; ONNX Runtime would keep float32 between them."""
    graph = model.graph
    values = onnx.shape_inference.infer_shapes(model).graph
    kinds = {v.name: v.type.tensor_type.elem_type for v in (*values.value_info, *values.output)}
    for weight in graph.initializer:
        readers = {node.name for node in graph.node if weight.name in node.input}
        if weight.data_type == TensorProto.FLOAT and not readers & pinned:
            rounded = numpy_helper.to_array(weight).astype(np.float16).astype(np.float32)
            weight.CopyFrom(numpy_helper.from_array(rounded, weight.name))
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        graph.node.append(node)
        if node.name in pinned or node.op_type in ("QuantizeLinear", "DequantizeLinear", "Constant"):
            continue
        for index, name in enumerate(node.output):
            if kinds.get(name) != TensorProto.FLOAT:
                continue
            graph.node[-1].output[index] = f"{name}/exact"
            half = helper.make_node("Cast", [f"{name}/exact"], [f"{name}/half"], to=TensorProto.FLOAT16)
            graph.node.extend([half, helper.make_node("Cast", [f"{name}/half"], [name], to=TensorProto.FLOAT)])


def _newer(model):
    """The same with pairs in float16 where it has pairs; other operators may need their own opset."""
    if any(node.op_type == "DequantizeLinear" for node in model.graph.node):
        model.opset_import[0].version = max(model.opset_import[0].version, _FLOAT16_PAIRS)
    return model


def _ranges(scales):
    limits = {name: 127 * scale for name, scale in scales.items() if scale > 0}
    return Ranges("0" * 64, {name: TensorRange(-amax, amax, amax, "minmax") for name, amax in limits.items()})


def _floats(model, settings):
    """Layers that are pinned, or read a tensor without a scale: TensorRT leaves those in floating point."""
    weights = {weight.name for weight in model.graph.initializer}
    unscaled = [
        node.name
        for node in model.graph.node
        if any(name not in weights and name not in settings["scales"] for name in node.input)
    ]
    return {name for name, kind in settings["pins"].items() if kind != "INT8"} | set(unscaled)
