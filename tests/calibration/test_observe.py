from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from calibration.crops import Crops
from calibration.observe import Observer, show
from runtime.onnxruntime.matcher import OnnxMatcher
from siamtrt import ArtifactError, GraphCard, InferenceError, ModelCard, TensorSpec
from siamtrt.geometry import Square


def write_graph(path, nodes, weights, *, shape=(1, 4)):
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)]
    initializers = [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), str(path))
    spec = TensorSpec("x", shape), TensorSpec("y", shape)
    return GraphCard("graph", spec[:1], spec[1:], "search")


def test_every_float_value_that_moves_is_seen_and_no_constant(tmp_path):
    nodes = [
        helper.make_node("Exp", ["log_scale"], ["scale"]),
        helper.make_node("Mul", ["x", "scale"], ["scaled"]),
        helper.make_node("Relu", ["scaled"], ["active"]),
        helper.make_node("Shape", ["active"], ["sides"]),
        helper.make_node("Mul", ["active", "minus"], ["y"]),
    ]
    card = write_graph(tmp_path / "graph.onnx", nodes, {"log_scale": [np.log(2.0)], "minus": [-3.0]})
    observer = Observer(tmp_path / "graph.onnx", card, (), threads=1)
    found = observer.observe({"x": np.array([[-1, 0, 1, 5]], np.float32)})
    assert list(observer.histograms) == ["x", "scaled", "active", "y"]
    np.testing.assert_allclose(found["y"], [[0, 0, -6, -30]], rtol=1e-6)
    extremes = {name: (h.lowest, h.highest) for name, h in observer.histograms.items()}
    assert extremes["x"] == (-1, 5)
    assert extremes["active"] == pytest.approx((0, 10))
    assert extremes["y"] == pytest.approx((-30, 0))


def test_values_beyond_the_memory_of_one_session_are_seen_by_several(tmp_path, monkeypatch):
    nodes = [helper.make_node("Neg", ["x"], ["a"]), helper.make_node("Neg", ["a"], ["b"])]
    nodes.append(helper.make_node("Add", ["b", "x"], ["y"]))
    card = write_graph(tmp_path / "graph.onnx", nodes, {})
    monkeypatch.setattr("calibration.observe._GROUP_BYTES", 20)
    observer = Observer(tmp_path / "graph.onnx", card, (), threads=1)
    found = observer.observe({"x": np.array([[1, 2, 3, 4]], np.float32)})
    assert found["y"].tolist() == [[2, 4, 6, 8]]
    assert {name: h.counts.sum() for name, h in observer.histograms.items()} == dict.fromkeys("xaby", 4)
    assert (observer.histograms["a"].lowest, observer.histograms["y"].highest) == (-4, 8)


def test_a_nan_names_its_tensor_and_graph(tmp_path):
    card = write_graph(tmp_path / "graph.onnx", [helper.make_node("Log", ["x"], ["y"])], {})
    observer = Observer(tmp_path / "graph.onnx", card, (), threads=1)
    with pytest.raises(InferenceError, match=r"y of graph\.onnx is NaN or infinite"):
        observer.observe({"x": np.array([[1, 2, -3, 4]], np.float32)})


def test_a_truncated_graph_is_refused(tmp_path, tiny_onnx):
    card = ModelCard.load(tiny_onnx)
    (tmp_path / "search.onnx").write_bytes((tiny_onnx / "search.onnx").read_bytes()[:500])
    with pytest.raises(ArtifactError, match="not a whole ONNX graph"):
        Observer(tmp_path / "search.onnx", card.graph("search"), ())


def test_xcorr_is_seen_with_the_kernels_of_the_very_target(tiny_onnx):
    """The maps that were counted are those of the runtime's matcher, refitted for each target."""
    card = ModelCard.load(tiny_onnx)
    observers = {
        graph.name: Observer(
            tiny_onnx / f"{graph.name}.onnx", graph, card.kernel_names if graph.name == "xcorr" else ()
        )
        for graph in card.graphs
    }
    matcher = OnnxMatcher(tiny_onnx, card, threads=1)
    lowest, highest = np.inf, -np.inf
    for seed in range(3):
        frame = np.random.default_rng(seed).integers(0, 256 >> seed, (255, 255, 3), np.uint8)
        template = frame[64:191, 64:191]
        show(observers, Crops(template, {"search": frame}), card)
        matcher.remember(template, Square(63.5, 63.5, 127, 127), (0, 0, 0))
        cls = matcher.match(frame, Square(127.5, 127.5, 255, 255), (0, 0, 0)).cls
        lowest, highest = min(lowest, cls.min()), max(highest, cls.max())
    seen = observers["xcorr"].histograms
    assert set(seen) == {f"{kind}_{branch}" for kind in ("feature", "correlation") for branch in ("cls", "loc")} | {
        "cls",
        "loc",
    }
    np.testing.assert_allclose((seen["cls"].lowest, seen["cls"].highest), (lowest, highest), rtol=1e-4)
