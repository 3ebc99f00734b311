from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from engines.batch import batched
from engines.float16 import to_float16
from siamtrt import BuildError

CHANNELS, SIDE, HEADS = 6, 9, 4


def graph(kernel, *, group, tail=()):
    """A correlation of ``feature`` with ``kernel``, then a head."""
    weight = np.random.default_rng(1).standard_normal((HEADS, kernel[0], 1, 1)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["feature", "kernel"], ["correlation"], name="correlation", group=group),
        helper.make_node("Conv", ["correlation", "head"], ["cls"], name="cls"),
        *tail,
    ]
    out = SIDE - kernel[2] + 1
    value = helper.make_tensor_value_info
    inputs = [("feature", (1, CHANNELS, SIDE, SIDE)), ("kernel", kernel)]
    outputs = [value("cls", TensorProto.FLOAT, (1, HEADS, out, out))]
    if tail:
        outputs = [value(tail[-1].output[0], TensorProto.FLOAT, (1, HEADS * out * out))]
    made = helper.make_graph(
        nodes,
        "xcorr",
        [value(name, TensorProto.FLOAT, shape) for name, shape in inputs],
        outputs,
        [numpy_helper.from_array(weight, "head"), numpy_helper.from_array(np.array([1, -1]), "flat")],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)


def run(model, feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)[0]


DEPTHWISE, PIXELWISE = ((CHANNELS, 1, 5, 5), CHANNELS), ((16, CHANNELS, 1, 1), 1)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize(("kernel", "group"), [DEPTHWISE, PIXELWISE], ids=["depthwise", "pixelwise"])
def test_each_crop_meets_its_own_kernels(kernel, group, half):
    model = graph(kernel, group=group)
    model = to_float16(model) if half else model
    targets, rng = 3, np.random.default_rng(0)
    features = rng.standard_normal((targets, CHANNELS, SIDE, SIDE)).astype(np.float32)
    kernels = rng.standard_normal((targets, *kernel)).astype(np.float32)
    found = run(batched(model, ["kernel"], targets), {"feature": features, "kernel": np.concatenate(list(kernels))})
    for number in range(targets):
        expected = run(model, {"feature": features[number : number + 1], "kernel": kernels[number]})
        np.testing.assert_allclose(found[number], expected[0], atol=2e-2 if half else 1e-5)


def test_one_target_is_the_graph_itself():
    model = graph(*DEPTHWISE[:1], group=CHANNELS)
    assert batched(model, ["kernel"], 1) is model


def test_what_does_not_compute_on_a_batch_is_refused():
    tail = [helper.make_node("Reshape", ["cls", "flat"], ["joined"], name="joined")]
    with pytest.raises(BuildError, match="xcorr does not compute on a batch"):
        batched(graph(DEPTHWISE[0], group=CHANNELS, tail=tail), ["kernel"], 2)
    assert onnx.checker.check_model(graph(DEPTHWISE[0], group=CHANNELS)) is None
