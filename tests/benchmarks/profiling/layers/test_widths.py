from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.profiling.layers.widths import ConvShape, conv_shapes, grid, width_times
from siamtrt import ArtifactError
from siamtrt.widths import load_times, save_times
from tests.benchmarks.reports.call import call


def test_a_grid_has_the_width_of_the_model_and_multiples_below():
    assert grid(288, 16) == (64, 144, 224, 288)
    assert grid(40, 16) == (16, 32, 40)
    assert grid(8, 16) == (8,)


def test_shapes_are_those_of_the_graph_without_their_widths(tiny_onnx):
    model = onnx.load(str(tiny_onnx / "search.onnx"))
    shapes = conv_shapes(model)
    assert shapes[ConvShape(8, 8, 1, 0, 255, False)] == (3, 8)
    assert shapes[ConvShape(3, 1, 1, 0, 31, False)] == (8, 8)


def test_a_depthwise_convolution_has_one_width():
    weight = numpy_helper.from_array(np.ones((6, 1, 3, 3), np.float32), "w")
    node = helper.make_node("Conv", ["x", "w"], ["y"], group=6, pads=[1, 1, 1, 1])
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 6, 5, 5))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 6, 5, 5))],
        [weight],
    )
    (shape,) = conv_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]))
    assert shape.key == "3x3 s1 d1 p1 5px depthwise"


def test_every_shape_is_timed_over_its_grid(tiny_onnx):
    times = width_times(tiny_onnx, 4, 2, 1)
    entry = times["3x3 s1 d1 p0 31px"]
    assert (entry.inputs, entry.outputs) == ((4, 8), (4, 8))
    assert len(entry.ms) == 2
    assert all(value >= 0 for row in entry.ms for value in row)


def test_the_command_writes_a_table_that_is_read_back(tiny_onnx, tmp_path, capsys):
    out = tmp_path / "w.json"
    assert call("widths", "--onnx", tiny_onnx, "--multiple", 4, "--runs", 1, "--threads", 1, "--out", out) == 0
    assert "3x3 s1 d1 p0 31px" in capsys.readouterr().out
    assert "3x3 s1 d1 p0 31px" in load_times(out)
    assert json.loads(out.read_text())["about"]["multiple"] == 4


@pytest.mark.parametrize("shapes", [None, {"3x3": {"inputs": [1]}}])
def test_what_is_no_table_is_refused(tmp_path, shapes):
    path = tmp_path / "w.json"
    save_times(path, {}, {})
    document = json.loads(path.read_text())
    document["shapes"] = shapes
    path.write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match="table"):
        load_times(path)
