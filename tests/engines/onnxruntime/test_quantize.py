from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from engines.graph import integer_nodes, last_convolutions, without
from engines.onnxruntime.quantize import affine, quantized_bias, quantized_weight
from engines.onnxruntime.quantize import quantize as quantize_plan
from siamtrt import ArtifactError, BuildError
from siamtrt.ranges import Ranges, TensorRange
from tests.calibrated import ranges_of

RNG = np.random.default_rng(5)


def graph_of(nodes, weights, inputs=("x",), outputs=("y",), shape=(1, 8, 9, 9)):
    """A graph whose inputs all have one shape."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "c", "h", "w"]) for name in outputs],
        [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.checker.check_model(model)
    return model


def conv(source, out, weight="w", bias=None, **settings):
    names = [source, weight] + ([bias] if bias else [])
    return helper.make_node("Conv", names, [out], name=out, pads=[1, 1, 1, 1], **settings)


def node(kind, sources, out, **settings):
    return helper.make_node(kind, sources, [out], name=out, **settings)


WEIGHT = (RNG.standard_normal((8, 8, 3, 3)) / 8).astype(np.float32)


def run(model, feed):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feed)[0]


def executed(model, tmp_path):
    """The node types ONNX Runtime really runs."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [each.op_type for each in onnx.load(str(tmp_path / "optimized.onnx")).graph.node]


def quantize(model, ranges, *, keep=(), kernels=()):
    return quantize_plan(model, without(integer_nodes(model.graph), keep), ranges, kernels=kernels)


def feeds(count=4, shape=(1, 8, 9, 9)):
    return [{"x": RNG.standard_normal(shape).astype(np.float32)} for _ in range(count)]


def noise(model, quantized, feed):
    """Root mean square of the error over that of the signal."""
    wanted, got = run(model, feed), run(quantized, feed)
    return float(np.sqrt(((wanted - got) ** 2).mean() / (wanted**2).mean()))


BOTTLENECK = graph_of(
    [
        conv("x", "a", bias="b"),
        node("Clip", ["a", "zero", "six"], "a6"),
        conv("a6", "c", group=8, weight="dw"),
        node("Relu", ["c"], "cr"),
        conv("cr", "d"),
        node("Add", ["d", "cr"], "y"),
    ],
    {"w": WEIGHT, "b": np.arange(8) / 8, "dw": WEIGHT[:, :1], "zero": 0.0, "six": 6.0},
)


def test_a_bottleneck_runs_in_integers_alone(tmp_path):
    quantized = quantize(BOTTLENECK, ranges_of(BOTTLENECK, feeds()))
    onnx.checker.check_model(quantized, full_check=True)
    kinds = [kind for kind in executed(quantized, tmp_path) if kind != "Transpose"]
    assert kinds == ["QuantizeLinear", "QLinearConv", "QLinearConv", "QLinearConv", "QLinearAdd", "DequantizeLinear"]


def test_a_bottleneck_keeps_its_values():
    data = feeds()
    assert 0.001 < noise(BOTTLENECK, quantize(BOTTLENECK, ranges_of(BOTTLENECK, data)), data[0]) < 0.03


def test_kept_nodes_stay_in_float_with_their_activation(tmp_path):
    quantized = quantize(BOTTLENECK, ranges_of(BOTTLENECK, feeds()), keep=["c"])
    kinds = executed(quantized, tmp_path)
    assert kinds.count("QLinearConv") == 2
    assert sum(kind in ("Conv", "FusedConv") for kind in kinds) == 1
    assert {weight.name for weight in quantized.graph.initializer} >= {"dw"}
    assert not {"w", "b"} & {weight.name for weight in quantized.graph.initializer}


def test_everything_kept_is_the_graph_as_it_was():
    names = [each.name for each in BOTTLENECK.graph.node]
    quantized = quantize(BOTTLENECK, Ranges("", {}), keep=names)
    assert [each.op_type for each in quantized.graph.node] == [each.op_type for each in BOTTLENECK.graph.node]
    feed = feeds(1)[0]
    np.testing.assert_array_equal(run(quantized, feed), run(BOTTLENECK, feed))


def test_a_result_that_is_an_output_and_is_read_again_is_both():
    model = graph_of([conv("x", "y"), conv("y", "z")], {"w": WEIGHT}, outputs=("y", "z"))
    data = feeds()
    quantized = quantize(model, ranges_of(model, data))
    assert [output.name for output in quantized.graph.output] == ["y", "z"]
    assert noise(model, quantized, data[1]) < 0.02


def test_an_activation_that_others_read_before_stays():
    model = graph_of([conv("x", "a"), node("Relu", ["a"], "r"), node("Add", ["a", "r"], "y")], {"w": WEIGHT})
    plan = integer_nodes(model.graph)
    assert [(each.node.op_type, each.result) for each in plan] == [("Conv", "a")]
    data = feeds()
    assert noise(model, quantize(model, ranges_of(model, data)), data[0]) < 0.02


def test_a_clip_that_loses_zero_is_not_absorbed():
    model = graph_of([conv("x", "a"), node("Clip", ["a", "low"], "y")], {"w": WEIGHT, "low": 0.5})
    assert [each.result for each in integer_nodes(model.graph)] == ["a"]


def test_a_clip_saturates_where_its_bound_is():
    """Also where the ranges were measured beyond it, and on values beyond what was measured."""
    model = graph_of([conv("x", "a"), node("Clip", ["a", "zero", "six"], "y")], {"w": WEIGHT, "zero": 0.0, "six": 6.0})
    wide = Ranges("", {name: TensorRange(-9.0, 9.0, 9.0, "minmax") for name in ("x", "a", "y")})
    out = run(quantize(model, wide), {"x": RNG.uniform(-9, 9, (1, 8, 9, 9)).astype(np.float32) * 4})
    assert (out.min(), out.max()) == (0.0, pytest.approx(6.0, rel=1e-6))


def test_a_hard_swish_needs_no_values_below_minus_three():
    hard_swish = [conv("x", "a"), node("HardSigmoid", ["a"], "g", alpha=1 / 6, beta=0.5), node("Mul", ["a", "g"], "y")]
    model = graph_of(hard_swish, {"w": WEIGHT})
    assert integer_nodes(model.graph)[0].low == pytest.approx(-3.0)
    both = graph_of([*hard_swish, node("Neg", ["a"], "z")], {"w": WEIGHT}, outputs=("y", "z"))
    assert integer_nodes(both.graph)[0].low == -np.inf


def test_the_last_convolutions_are_those_that_no_other_follows():
    model = graph_of(
        [conv("x", "a"), conv("a", "b"), conv("a", "c"), node("Add", ["b", "c"], "d"), node("Exp", ["d"], "y")],
        {"w": WEIGHT},
    )
    assert last_convolutions(model.graph) == ["b", "c"]


def test_pooling_passes_its_bytes_on(tmp_path):
    model = graph_of(
        [conv("x", "a"), node("Relu", ["a"], "r"), node("MaxPool", ["r"], "p", kernel_shape=[3, 3]), conv("p", "y")],
        {"w": WEIGHT},
    )
    data = feeds()
    quantized = quantize(model, ranges_of(model, data))
    kinds = [kind for kind in executed(quantized, tmp_path) if kind != "Transpose"]
    assert [kind.replace("Nhwc", "") for kind in kinds] == [
        "QuantizeLinear",
        "QLinearConv",
        "MaxPool",
        "QLinearConv",
        "DequantizeLinear",
    ]
    assert noise(model, quantized, data[0]) < 0.02


def test_a_kernel_to_refit_stays_float_and_follows_its_new_value(tmp_path):
    """The scales are computed from the weight while the graph loads, so a kernel a hundred times larger is no worse."""
    model = graph_of([conv("x", "y", group=8, weight="kernel")], {"kernel": WEIGHT[:, :1]})
    larger = graph_of([conv("x", "y", group=8, weight="kernel")], {"kernel": 100 * WEIGHT[::-1, :1]})
    data = feeds()
    quantized = quantize(model, ranges_of(larger, data), kernels=["kernel"])
    assert executed(quantized, tmp_path).count("QLinearConv") == 1
    (weight,) = [each for each in quantized.graph.initializer if each.name == "kernel"]
    assert (weight.data_type, tuple(weight.dims)) == (TensorProto.FLOAT, (8, 1, 3, 3))
    weight.CopyFrom(larger.graph.initializer[0])
    assert noise(larger, quantized, data[0]) < 0.02


def test_a_correlation_with_a_bias_is_refused():
    node = conv("x", "y", group=8, weight="kernel")
    node.input.append("bias")
    model = graph_of([node], {"kernel": WEIGHT[:, :1], "bias": np.full(8, 5.0)})
    some = Ranges("", {name: TensorRange(-1.0, 1.0, 1.0, "minmax") for name in "xy"})
    with pytest.raises(BuildError, match="correlates with a bias"):
        quantize(model, some, kernels=["kernel"])


def test_a_kernel_of_zeros_yields_zeros():
    model = graph_of([conv("x", "y", group=8, weight="kernel")], {"kernel": np.zeros((8, 1, 3, 3))})
    some = Ranges("", {name: TensorRange(-1.0, 1.0, 1.0, "minmax") for name in "xy"})
    assert not run(quantize(model, some, kernels=["kernel"]), feeds(1)[0]).any()


def test_a_missing_range_is_named():
    measured = ranges_of(BOTTLENECK, feeds())
    del measured.tensors["a6"]
    with pytest.raises(ArtifactError, match=r"the ranges lack the tensor a6(.|\n)*calibrate anew"):
        quantize(BOTTLENECK, measured)


@given(st.floats(-1e3, 0), st.floats(1e-3, 1e3))
def test_a_code_holds_zero_exactly_and_its_ends_to_half_a_step(low, high):
    code = affine(low, high)
    assert 0 <= code.zero <= 255
    for value in (low, high):
        decoded = code.scale * (np.clip(round(value / code.scale) + code.zero, 0, 255) - code.zero)
        assert abs(decoded - value) <= code.scale * 0.5001


def test_weights_are_rounded_channel_by_channel():
    weight = np.array([[[[1.0, -127.0]]], [[[0.006, -0.01]]], [[[0.0, 0.0]]]], np.float32)
    integers, scales = quantized_weight(weight, np.zeros(3))
    assert integers.reshape(3, 2).tolist() == [[1, -127], [76, -127], [0, 0]]
    np.testing.assert_allclose(scales[:2], [1.0, 0.01 / 127], rtol=1e-6)


def test_a_large_bias_on_a_tiny_weight_keeps_its_value():
    bias, step = np.array([50.0, -3.0]), 0.02
    integers, scales = quantized_weight(np.full((2, 1, 1, 1), 1e-12, np.float32), np.abs(bias) / step)
    encoded = quantized_bias(bias, step * scales)
    assert encoded.dtype == np.int32
    np.testing.assert_allclose(encoded * (step * scales.astype(np.float64)), bias, rtol=1e-6)
    assert not integers.any()
