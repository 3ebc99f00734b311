"""The engine inspector and the profiler: a convolution and the activation behind it are one layer."""

from __future__ import annotations

import enum
import json

import onnx

_FORMATS = [
    ("INT8", "Thirty-two wide channel vectorized row major Int8 format", "Int8"),
    ("FP16", "Channel major FP16 format where channel % 8 == 0", "Half"),
    ("", "Row major linear FP32", "Float"),
]


def describe(model, settings):
    """The layers of a plan as the inspector's JSON has them, by the verbosity it was built with."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    weights = {weight.name: list(weight.dims) for weight in graph.initializer}
    _, text, kind = next(entry for entry in _FORMATS if entry[0] in [*settings["flags"], ""])
    found = []
    for node in graph.node:
        if node.op_type == "Relu" and found:
            found[-1]["Name"] += f" + {node.name or node.output[0]}"
            found[-1]["Outputs"] = _tensors(node.output, shapes, text)
            continue
        entry = {
            "Name": node.name or node.output[0],
            "LayerType": "CaskConvolution" if node.op_type == "Conv" else "Shuffle",
            "Inputs": _tensors([name for name in node.input if name not in weights], shapes, text),
            "Outputs": _tensors(node.output, shapes, text),
        }
        if node.op_type == "Conv":
            count = 1
            for side in weights.get(node.input[1], [0]):
                count *= side
            entry.update(ParameterType="Convolution", Weights={"Type": kind, "Count": count})
        found.append(entry)
    if settings["verbosity"] != "DETAILED":
        return json.dumps({"Layers": [entry["Name"] for entry in found], "Bindings": []})
    return json.dumps({"Layers": found, "Bindings": []})


def _tensors(names, shapes, text):
    return [{"Name": name, "Location": "Device", "Dimensions": shapes[name], "Format/Datatype": text} for name in names]


def add_names(trt):
    """What every version has for it."""
    trt.LayerInformationFormat = enum.Enum("LayerInformationFormat", ["ONELINE", "JSON"])

    class IProfiler:
        def __init__(self):
            self._constructed = True

    trt.IProfiler = IProfiler


class Inspector:
    def __init__(self, trt, model, settings):
        self._trt, self._text = trt, describe(model, settings)

    def get_engine_information(self, form):
        assert form is self._trt.LayerInformationFormat.JSON
        return self._text


def report(profiler, model, settings):
    """Tell a profiler one run; the n-th layer takes n milliseconds."""
    for number, layer in enumerate(json.loads(describe(model, settings))["Layers"], 1):
        profiler.report_layer_time(layer if isinstance(layer, str) else layer["Name"], float(number))
