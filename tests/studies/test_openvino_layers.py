from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from studies.openvino_layers import DEPTHWISE, OTHER, POINTWISE, REST, of_report

WEIGHTS = {"narrow": (8, 4, 1, 1), "deep": (8, 1, 3, 3), "stem": (8, 3, 3, 3)}


def test_layers_are_told_apart_by_the_weights_of_the_exported_graph(tmp_path):
    for graph in ("search", "xcorr"):
        onnx.save(graph_of_convolutions(), str(tmp_path / f"{graph}.onnx"))
    layers = [
        layer("search", "narrow/Relu_nchwc", 1.0),
        layer("search", "deep_nchwc", 2.0),
        layer("xcorr", "stem", 4.0),
        layer("xcorr", "narrow", 8.0),
        layer("search", "narrow/Mul/QuickGeluFusion/", 16.0, macs=0),
        layer("target", "stem", 32.0),
    ]
    times = of_report(SimpleNamespace(layers=layers), tmp_path)
    assert times == pytest.approx({POINTWISE: 9.0, DEPTHWISE: 2.0, OTHER: 4.0, REST: 16.0})


def layer(graph, name, ms, macs=1):
    return SimpleNamespace(graph=graph, name=name, ms_p50=ms, macs=macs)


def graph_of_convolutions():
    zeros = {f"{name}.weight": np.zeros(shape, np.float32) for name, shape in WEIGHTS.items()}
    weights = [numpy_helper.from_array(values, name) for name, values in zeros.items()]
    nodes = [helper.make_node("Conv", ["x", f"{name}.weight"], [name], name=name) for name in WEIGHTS]
    return helper.make_model(helper.make_graph(nodes, "convolutions", [], [], weights))
