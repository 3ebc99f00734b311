from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from engines.graph import integer_nodes, without
from engines.int8 import correct_biases as correct
from engines.onnxruntime.quantize import quantize as quantize_plan
from engines.onnxruntime.quantize import raw_output
from tests.calibrated import activations, ranges_of
from tests.engines.onnxruntime.test_quantize import RNG, WEIGHT, conv, executed, graph_of, node, quantize, run

# One large weight a channel leaves the others few levels, and inputs far from zero turn their rounding into a shift.
ROUGH = np.where(RNG.random((8, 1, 3, 3)) < 0.12, 40.0, RNG.uniform(-0.4, 0.4, (8, 1, 3, 3))).astype(np.float32)
MODEL = graph_of(
    [
        conv("x", "a", group=8, weight="rough", bias="b"),
        node("Relu", ["a"], "ar"),
        conv("ar", "c", bias="b"),
        conv("c", "y", group=8, weight="rough2", bias="b2"),
    ],
    {"rough": ROUGH, "rough2": ROUGH[::-1], "w": WEIGHT, "b": np.zeros(8), "b2": np.ones(8)},
)


def correct_biases(model, ranges, data, keep=()):
    plan = without(integer_nodes(model.graph), keep)
    raw = {each.node.output[0]: raw_output(each) for each in plan if each.node.op_type == "Conv"}
    return correct(model, data, lambda corrected: quantize_plan(corrected, plan, ranges), raw)


def feeds(count=6):
    return [{"x": RNG.uniform(100, 255, (1, 8, 9, 9)).astype(np.float32)} for _ in range(count)]


def biases(model):
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer if each.name.startswith("b")}


def own_biases():
    """The same with a bias of its own for each convolution."""
    model = onnx.ModelProto()
    model.CopyFrom(MODEL)
    model.graph.node[2].input[2] = "b3"
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(8, np.float32), "b3"))
    return model


def mean_shift(model, quantized, data):
    """The largest shift of an output channel's mean, over the size of the signal."""
    want = np.stack([run(model, feed) for feed in data])
    got = np.stack([run(quantized, feed) for feed in data])
    return np.abs((got - want).mean((0, 1, 3, 4))).max() / np.sqrt((want**2).mean())


def test_the_means_of_the_channels_come_back():
    model, data = own_biases(), feeds()
    ranges = ranges_of(model, data)
    plain = quantize(model, ranges)
    corrected = quantize(correct_biases(model, ranges, data), ranges)
    assert mean_shift(model, corrected, data) < 0.3 * mean_shift(model, plain, data)
    fresh = feeds()
    assert mean_shift(model, corrected, fresh) < 0.5 * mean_shift(model, plain, fresh)


def test_only_biases_change_and_the_model_given_does_not(tmp_path):
    model, data = own_biases(), feeds()
    before = model.SerializeToString()
    corrected = correct_biases(model, ranges_of(model, data), data)
    assert model.SerializeToString() == before
    for old, new in zip(model.graph.initializer, corrected.graph.initializer):
        assert (old.raw_data == new.raw_data) is not old.name.startswith("b")
    assert executed(quantize(corrected, ranges_of(model, data)), tmp_path).count("QLinearConv") == 3


def test_kept_layers_keep_their_bias():
    model, data = own_biases(), feeds()
    corrected = correct_biases(model, ranges_of(model, data), data, keep=["c"])
    assert (biases(corrected)["b3"] == 0).all()
    assert (biases(corrected)["b"] != 0).any()


def test_the_first_layer_moves_by_its_own_shift():
    """What one convolution's rounding does is its rounded weights on its rounded input, worked out by hand here."""
    model = graph_of([conv("x", "y", group=8, weight="rough", bias="b")], {"rough": ROUGH, "b": np.zeros(8)})
    data = feeds(1)
    ranges = ranges_of(model, data)
    scale = ranges.tensors["x"].high / 255
    rounded = graph_of(
        [conv("x", "y", group=8, weight="rough", bias="b")], {"rough": _rounded(ROUGH), "b": np.zeros(8)}
    )
    bytes_back = {"x": np.round(data[0]["x"] / scale).astype(np.float32) * scale}
    shift = (activations(rounded, bytes_back)["y"] - activations(model, data[0])["y"]).mean((0, 2, 3))
    np.testing.assert_allclose(biases(correct_biases(model, ranges, data))["b"], -shift, rtol=0.02, atol=0.02)


def _rounded(weight):
    scale = np.abs(weight).max((1, 2, 3), keepdims=True) / 127
    return np.round(weight / scale) * scale


@pytest.mark.parametrize("keep", [(), ("a", "c", "y")])
def test_nothing_to_move_leaves_the_model(keep):
    bare = graph_of([conv("x", "a"), conv("a", "c"), conv("c", "y")], {"w": WEIGHT})
    data = feeds(1)
    assert correct_biases(bare, ranges_of(bare, data), data, keep=keep) == bare


def test_a_bias_that_two_convolutions_share_stays():
    data = feeds()
    corrected = biases(correct_biases(MODEL, ranges_of(MODEL, data), data))
    assert (corrected["b"] == 0).all()
    assert (corrected["b2"] != 1).any()
