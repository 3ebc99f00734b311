"""What a graph in float16 keeps: validity, its work, its values as far as float16 goes; and what it refuses."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.profiling.layers.onnx_profile import macs_of
from engines.float16 import to_float16
from engines.graph import score_nodes
from siamtrt import BuildError
from siamtrt.libraries.onnxruntime import open_session
from tests.tiny_cascade import write_tiny_cascade

RNG = np.random.default_rng(0)
MACS = 8 * 8 * 4 * (3 + 4) * 9


def relu6_graph(weight: float = 1.0) -> onnx.ModelProto:
    """Two 3x3 convolutions with a ReLU6, which stays float32, between them."""
    weights = {
        "first": (RNG.standard_normal((4, 3, 3, 3)) / 10).astype(np.float32),
        "second": (RNG.standard_normal((4, 4, 3, 3)) / 10).astype(np.float32),
        "zero": np.float32(0),
        "six": np.float32(6),
    }
    weights["second"][0, 0, 0, 0] = weight
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["a"], name="a", pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["a", "zero", "six"], ["b"], name="b"),
        helper.make_node("Conv", ["b", "second"], ["y"], name="y", pads=[1, 1, 1, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "relu6",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 8, 8))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4, 8, 8))],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)


def test_the_result_is_a_valid_graph_that_lost_no_work():
    converted = to_float16(relu6_graph())
    onnx.checker.check_model(converted, full_check=True)
    work = macs_of(converted)
    assert sum(work[node.name] for node in converted.graph.node if node.op_type == "Conv") == MACS


def test_weights_and_arithmetic_are_float16_and_the_borders_are_not():
    converted = to_float16(relu6_graph())
    types = {weight.name: weight.data_type for weight in converted.graph.initializer}
    assert types["first"] == types["second"] == TensorProto.FLOAT16
    assert types["zero"] == types["six"] == TensorProto.FLOAT  # a Clip in float16 is not fused
    borders = (*converted.graph.input, *converted.graph.output)
    assert {value.type.tensor_type.elem_type for value in borders} == {TensorProto.FLOAT}


def test_values_differ_by_the_rounding_of_float16_only():
    feed = {"x": RNG.random((1, 3, 8, 8), dtype=np.float32)}
    model = relu6_graph()
    (exact,) = open_session(model.SerializeToString()).run(None, feed)
    (half,) = open_session(to_float16(model).SerializeToString()).run(None, feed)
    assert 0 < np.abs(half - exact).max() < 4e-3


@pytest.mark.parametrize("weight", [1e6, np.inf, np.nan])
def test_a_weight_that_does_not_fit_is_refused_by_name(weight):
    with pytest.raises(BuildError, match=r"weight second reaches .* float16 only 65504"):
        to_float16(relu6_graph(weight))


def test_what_only_a_score_needs_stays_float32(tmp_path):
    card = write_tiny_cascade(tmp_path)
    original = onnx.load(str(tmp_path / "xcorr_1.onnx"))
    names = score_nodes(original.graph, card.scores_of("xcorr_1"))
    assert {"margin", "peak", "gate", "exit_1"} <= set(names)
    assert not {"cls", "loc", "correlation_cls"} & set(names)
    converted = to_float16(onnx.load(str(tmp_path / "xcorr_1.onnx")), float32_nodes=names)
    inferred = onnx.shape_inference.infer_shapes(converted).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in (*inferred.value_info, *inferred.output)}
    assert {kinds[name] for name in ("margin", "probability", "peak", "exit_1")} == {onnx.TensorProto.FLOAT}
    assert kinds["correlation_cls"] == onnx.TensorProto.FLOAT16
    assert [output.name for output in converted.graph.output] == [output.name for output in original.graph.output]
    rng = np.random.default_rng(0)
    feed = {spec.name: rng.random(spec.shape, dtype=np.float32) for spec in card.graph("xcorr_1").inputs}
    for half, whole in zip(*(open_session(m.SerializeToString()).run(None, feed) for m in (converted, original))):
        np.testing.assert_allclose(half, whole, atol=0.01 * np.abs(whole).max())
