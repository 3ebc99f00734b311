"""The engine inspector and the profiler: a convolution and the activation behind it are one layer."""

from __future__ import annotations

import enum
import json
import weakref

import onnx

_TEXTS = {
    "INT8": ("Thirty-two wide channel vectorized row major Int8 format", "Int8"),
    "HALF": ("Channel major FP16 format where channel % 8 == 0", "Half"),
    "FLOAT": ("Row major linear FP32", "Float"),
}


def describe(model, settings):
    """The layers of a plan as the inspector's JSON has them, by the verbosity it was built with.

    Each layer has a precision of its own: that it is pinned to, else the best of the flags. What the graph puts out is
    FP32 whatever computes it; between layers of two precisions lies a reformat.
    """
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    weights = {weight.name: list(weight.dims) for weight in graph.initializer}
    borders = {value.name for value in (*graph.input, *graph.output)}
    flags = settings["flags"]
    best = "INT8" if "INT8" in flags else "HALF" if "FP16" in flags else "FLOAT"
    on_dla = settings["dla"][1] if settings["dla"] else []
    holds = dict.fromkeys(borders, "FLOAT")  # tensor -> its type
    found = []
    for node in graph.node:
        if node.op_type == "Relu" and found and found[-1].get("ParameterType") == "Convolution":
            found[-1]["Name"] += f" + {node.name or node.output[0]}"
            kind = "FLOAT" if node.output[0] in borders else holds[node.input[0]]
            found[-1]["Outputs"] = _tensors(node.output, shapes, {node.output[0]: kind})
            holds[node.output[0]] = kind
            continue
        kind = settings.get("pins", {}).get(node.name, best)
        if kind == "INT8" and settings.get("only_reformats"):
            kind = "HALF"
        read = [name for name in node.input if name not in weights]
        for name in read:
            if node.op_type == "Conv" and holds.get(name, kind) != kind:
                found.append(_reformat(name, shapes, holds[name], kind))
                holds[name] = kind
        for name in node.output:
            holds[name] = "FLOAT" if name in borders else kind
        name = node.name or node.output[0]
        entry = {
            "Name": name,
            "LayerType": "DLA" if name in on_dla else "CaskConvolution" if node.op_type == "Conv" else "Shuffle",
            "Inputs": _tensors(read, shapes, {name: holds.get(name, kind) for name in read}),
            "Outputs": _tensors(node.output, shapes, holds),
        }
        if node.op_type == "Conv" and name not in on_dla:  # an accelerator's part is one layer without weights
            count = 1
            for side in weights.get(node.input[1], [0]):
                count *= side
            entry.update(ParameterType="Convolution", Weights={"Type": _TEXTS[kind][1], "Count": count})
        found.append(entry)
    if settings.get("only_reformats") and found:
        found.append(_reformat(graph.output[0].name, shapes, "INT8", "FLOAT"))
    if settings["verbosity"] != "DETAILED":
        return json.dumps({"Layers": [entry["Name"] for entry in found], "Bindings": []})
    return json.dumps({"Layers": found, "Bindings": []})


def _reformat(name, shapes, old, new):
    return {
        "Name": f"Reformatting CopyNode for Input Tensor {name}",
        "LayerType": "Reformat",
        "Inputs": _tensors([name], shapes, {name: old}),
        "Outputs": _tensors([name], shapes, {name: new}),
        "ParameterType": "Reformat",
    }


def _tensors(names, shapes, kinds):
    return [
        {"Name": name, "Location": "Device", "Dimensions": shapes[name], "Format/Datatype": _TEXTS[kinds[name]][0]}
        for name in names
    ]


def add_names(trt):
    """What every version has for it."""
    trt.LayerInformationFormat = enum.Enum("LayerInformationFormat", ["ONELINE", "JSON"])

    class IProfiler:
        def __init__(self):
            self._constructed = True

    trt.IProfiler = IProfiler


class Inspector:
    """Up to 8.5 the binding keeps no reference to the engine: whoever drops it first reads freed memory."""

    def __init__(self, trt, engine):
        self._trt = trt
        major, minor = (int(number) for number in trt.__version__.split(".")[:2])
        self._engine = (lambda: engine) if (major, minor) >= (8, 6) or major == 1 else weakref.ref(engine)

    def get_engine_information(self, form):
        assert form is self._trt.LayerInformationFormat.JSON
        engine = self._engine()
        if engine is None:
            raise SystemError("Segmentation fault: the engine was freed before its inspector was asked")
        return describe(engine.model, engine.settings)


def report(profiler, model, settings):
    """Tell a profiler one run; the n-th layer takes n milliseconds."""
    for number, layer in enumerate(json.loads(describe(model, settings))["Layers"], 1):
        profiler.report_layer_time(layer if isinstance(layer, str) else layer["Name"], float(number))
