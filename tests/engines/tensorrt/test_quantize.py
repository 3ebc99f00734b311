from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from engines.tensorrt.quantize import quantize_symmetric
from siamtrt import ArtifactError
from siamtrt.ranges import Ranges, TensorRange, file_name
from tests.calibrated import write_calibration
from tests.tiny import write_tiny_model

SIDE = 8


def ranges(**amax):
    return Ranges("", {name: TensorRange(-value, value, value, "minmax") for name, value in amax.items()})


def conv(source, out, *, weight="w", bias="b"):
    return helper.make_node("Conv", [source, weight, bias], [out], name=out, kernel_shape=[1, 1])


def model(nodes, *, seed=0, channels=4, outputs=("y",), inputs=("x",), scale=1.0):
    rng = np.random.default_rng(seed)
    weights = {
        "w": (rng.standard_normal((channels, channels, 1, 1)) * scale).astype(np.float32),
        "b": rng.standard_normal(channels).astype(np.float32),
    }
    shape = [1, channels, SIDE, SIDE]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "c", "h", "w"]) for name in outputs],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)


def run(made, **feeds):
    onnx.checker.check_model(made, full_check=True)
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def quantized_inputs(made):
    """Node -> which of its inputs come out of a pair."""
    makers = {name: node.op_type for node in made.graph.node for name in node.output}
    return {
        node.name: [index for index, name in enumerate(node.input) if makers.get(name) == "DequantizeLinear"]
        for node in made.graph.node
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear")
    }


def test_a_convolution_computes_what_its_integers_say():
    made = model([conv("x", "y")])
    weight = numpy_helper.to_array(made.graph.initializer[0])[:, :, 0, 0]
    bias = numpy_helper.to_array(made.graph.initializer[1])
    image = np.random.default_rng(1).uniform(-3, 3, (1, 4, SIDE, SIDE)).astype(np.float32)
    made = quantize_symmetric(made, ranges(x=2.0), ())
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    scales = stored["w/scale"]
    assert stored["w/quantized"].dtype == np.int8
    assert np.abs(stored["w/quantized"]).max(axis=(1, 2, 3)).min() >= 126  # each channel uses its range
    assert (np.abs(weight - stored["w/quantized"][:, :, 0, 0] * scales[:, None]) <= scales[:, None] / 2 + 1e-7).all()
    image_scale = stored["x/scale"]
    assert 2.0 / 127 <= image_scale < 2.0 / 127 * 1.001
    integers = np.rint(image / image_scale).clip(-128, 127)
    expected = np.einsum("oi,bihw->bohw", stored["w/quantized"][:, :, 0, 0].astype(np.float64), integers)
    expected = expected * (image_scale * scales)[None, :, None, None] + bias[None, :, None, None]
    np.testing.assert_allclose(run(made, x=image)[0], expected, atol=1e-5)


def test_the_bias_stays_float_and_the_float_weight_goes():
    made = quantize_symmetric(model([conv("x", "y")]), ranges(x=1.0), ())
    names = {tensor.name: tensor.data_type for tensor in made.graph.initializer}
    assert names["b"] == TensorProto.FLOAT
    assert "w" not in names


@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e-7])
def test_scales_are_float16_numbers_that_clip_nothing(scale):
    made = quantize_symmetric(model([conv("x", "y")], scale=scale), ranges(x=0.37), ())
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    for name in ("w/scale", "x/scale"):
        assert stored[name].dtype == np.float32
        np.testing.assert_array_equal(stored[name], stored[name].astype(np.float16))
        assert (stored[name] > 0).all()
    assert stored["x/scale"] * 127 >= np.float32(0.37)


def test_a_channel_of_zeros_stays_zero():
    made = model([conv("x", "y")])
    weight = numpy_helper.to_array(made.graph.initializer[0]).copy()
    weight[2] = 0
    made.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, "w"))
    image = np.ones((1, 4, SIDE, SIDE), np.float32)
    bias = numpy_helper.to_array(made.graph.initializer[1])
    out = run(quantize_symmetric(made, ranges(x=1.0), ()), x=image)[0]
    assert (out[:, 2] == bias[2]).all()


def test_a_tensor_is_quantised_once_however_many_read_it():
    nodes = [conv("x", "a"), conv("x", "b2"), helper.make_node("Add", ["a", "b2"], ["y"], name="sum")]
    made = quantize_symmetric(model(nodes), ranges(x=1.0), ())
    assert [node.op_type for node in made.graph.node].count("QuantizeLinear") == 1
    assert quantized_inputs(made) == {"a": [0, 1], "b2": [0, 1], "sum": []}


def test_a_kept_layer_reads_floats():
    nodes = [conv("x", "a"), conv("a", "y")]
    made = quantize_symmetric(model(nodes), ranges(x=1.0, a=1.0), {"y"})
    assert quantized_inputs(made) == {"a": [0, 1], "y": []}
    assert "w" in {tensor.name for tensor in made.graph.initializer}


def test_the_shortcut_of_a_sum_is_stored_in_8_bits_and_the_convolution_adds_to_it():
    nodes = [
        conv("x", "a"),
        helper.make_node("Relu", ["a"], ["r"], name="relu"),
        conv("r", "main"),
        helper.make_node("Add", ["r", "main"], ["s"], name="sum"),
        helper.make_node("Relu", ["s"], ["t"], name="relu2"),
        conv("t", "y"),
    ]
    made = quantize_symmetric(model(nodes), ranges(x=1.0, r=1.0, t=1.0), ())
    assert quantized_inputs(made)["sum"] == [0]
    by_name = {node.name: node for node in made.graph.node}
    assert by_name["sum"].input[0] == by_name["main"].input[0] == "r/dequantized"


def test_of_two_branches_one_is_added_to_the_other():
    nodes = [
        conv("x", "a"),
        conv("x", "down"),
        helper.make_node("Add", ["a", "down"], ["s"], name="sum"),
        conv("s", "y"),
    ]
    made = quantize_symmetric(model(nodes), ranges(x=1.0, s=1.0, down=1.0), ())
    assert quantized_inputs(made)["sum"] == [1]


def test_a_sum_that_ends_the_graph_stays_float():
    nodes = [conv("x", "a"), conv("x", "c"), helper.make_node("Add", ["a", "c"], ["y"], name="sum")]
    assert quantized_inputs(quantize_symmetric(model(nodes), ranges(x=1.0), ()))["sum"] == []


def test_a_pooling_between_convolutions_runs_on_8_bits():
    pool = helper.make_node("MaxPool", ["a"], ["p"], name="pool", kernel_shape=[2, 2])
    made = quantize_symmetric(model([conv("x", "a"), pool, conv("p", "y")]), ranges(x=1.0, a=1.0, p=1.0), ())
    assert quantized_inputs(made)["pool"] == [0]
    last = helper.make_node("MaxPool", ["a"], ["y"], name="pool", kernel_shape=[2, 2])
    made = quantize_symmetric(model([conv("x", "a"), last]), ranges(x=1.0), ())
    assert quantized_inputs(made)["pool"] == []


def test_a_missing_range_is_told():
    with pytest.raises(ArtifactError, match="ranges leave out a"):
        quantize_symmetric(model([conv("x", "a"), conv("a", "y")]), ranges(x=1.0), ())


def test_kernels_that_are_inputs_are_quantised_like_activations_unless_kept(tmp_path):
    write_tiny_model(tmp_path, kernel_inputs=True)
    path = tmp_path / "xcorr.onnx"
    amax = ranges(
        **{f"{kind}_{branch}": 1.0 for kind in ("feature", "kernel", "correlation") for branch in ("cls", "loc")}
    )
    every = quantize_symmetric(onnx.load(str(path)), amax, ())
    assert quantized_inputs(every)["correlation_cls"] == [0, 1]
    heads = quantize_symmetric(onnx.load(str(path)), amax, ("correlation_cls", "correlation_loc"))
    assert quantized_inputs(heads) == {"correlation_cls": [], "cls": [0, 1], "correlation_loc": [], "loc": [0, 1]}
    onnx.checker.check_model(every, full_check=True)


@pytest.mark.parametrize("graph", ["target", "search"])
def test_a_whole_graph_stays_close_to_float32(tiny_onnx, tmp_path, graph):
    calibration = write_calibration(tmp_path, tiny_onnx)
    path = tiny_onnx / f"{graph}.onnx"
    measured = Ranges.load(calibration / file_name(graph), onnx=path)
    side = 127 if graph == "target" else 255
    image = np.random.default_rng(5).integers(0, 256, (1, 3, side, side)).astype(np.float32)
    name = "template" if graph == "target" else "search"
    expected = run(onnx.load(str(path)), **{name: image})
    found = run(quantize_symmetric(onnx.load(str(path)), measured, ()), **{name: image})
    for wanted, got in zip(expected, found):
        noise = np.square(got - wanted).mean() / np.square(wanted).mean()
        assert 0 < noise < 1e-3
