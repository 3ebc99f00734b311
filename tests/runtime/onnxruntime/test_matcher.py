from __future__ import annotations

import shutil
import time

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from runtime.crop import crop, network_input
from runtime.onnxruntime.engine import Engine
from runtime.onnxruntime.matcher import OnnxMatcher
from runtime.tracker import Tracker
from siamtrt import (
    ArtifactError,
    BoundingBox,
    EngineMismatchError,
    GraphPrecisions,
    InferenceError,
    ModelCard,
    UsageError,
)
from siamtrt.geometry import Square
from tests.built import build
from tests.calibrated import write_calibration
from tests.tiny import write_tiny_model

FILL = (1, 2, 3)
TEMPLATE, SEARCH = Square(60, 60, 80, 127), Square(60, 60, 160, 255)


@pytest.fixture(scope="module")
def frame():
    return np.random.default_rng(1).integers(0, 256, (120, 160, 3), dtype=np.uint8)


def opened(engines):
    return OnnxMatcher(engines, ModelCard.load(engines))


def by_hand(folder, frame):
    """The three graphs chained by onnxruntime alone, the correlation by numpy."""
    inputs = {"template": np.zeros((1, 3, 127, 127), np.float32), "search": np.zeros((1, 3, 255, 255), np.float32)}
    network_input(crop(frame, TEMPLATE, FILL), inputs["template"])
    network_input(crop(frame, SEARCH, FILL), inputs["search"])
    results = {}
    for name, feed in (("target", "template"), ("search", "search")):
        session = onnxruntime.InferenceSession(str(folder / f"{name}.onnx"), providers=["CPUExecutionProvider"])
        results.update(zip([o.name for o in session.get_outputs()], session.run(None, {feed: inputs[feed]})))
    kernel, feature = results["kernel_cls"][:, 0], results["feature_cls"][0]
    windows = np.lib.stride_tricks.sliding_window_view(feature, (5, 5), axis=(1, 2))
    return np.einsum("crsij,cij->crs", windows, kernel)


def test_a_refit_puts_the_targets_own_kernels_into_the_correlation(tiny_onnx, tiny_engines, frame):
    matcher = opened(tiny_engines)
    matcher.remember(frame, TEMPLATE, FILL)
    response = matcher.match(frame, SEARCH, FILL)
    head = {
        weight.name: numpy_helper.to_array(weight)
        for weight in onnx.load(str(tiny_onnx / "xcorr.onnx")).graph.initializer
    }["cls.head"]
    expected = np.einsum("oc,crs->ors", head[:, :, 0, 0], by_hand(tiny_onnx, frame))
    np.testing.assert_allclose(response.cls, expected, atol=1e-4 * np.abs(expected).max())


def test_kernels_as_inputs_give_the_same_boxes(tmp_path, tiny_engines, frame):
    write_tiny_model(tmp_path / "onnx", kernel_inputs=True)
    build(tmp_path / "onnx", tmp_path / "engines", "onnxruntime", GraphPrecisions.parse("fp32"), "")
    responses = []
    for folder in (tiny_engines, tmp_path / "engines"):
        matcher = opened(folder)
        matcher.remember(frame, TEMPLATE, FILL)
        responses.append(matcher.match(frame, SEARCH, FILL))
    np.testing.assert_allclose(responses[0].cls, responses[1].cls, atol=1e-5)
    np.testing.assert_allclose(responses[0].loc, responses[1].loc, atol=1e-5)


def test_fp16_engines_refit_too(tmp_path, tiny_onnx, tiny_engines, frame):
    build(tiny_onnx, tmp_path / "half", "onnxruntime", GraphPrecisions.parse("fp16"), "")
    maps = []
    for folder in (tiny_engines, tmp_path / "half"):
        matcher = opened(folder)
        matcher.remember(frame, TEMPLATE, FILL)
        maps.append(matcher.match(frame, SEARCH, FILL).cls)
    difference = np.abs(maps[0] - maps[1]).max() / np.ptp(maps[0])
    assert 0 < difference < 0.02


@pytest.mark.parametrize("precision", ["int8", "int8-all"])
def test_int8_engines_refit_too(tmp_path, tiny_onnx, tiny_engines, frame, precision):
    """Also where the correlation is in integers: its kernel's scales are those of the new target."""
    calibration = write_calibration(tmp_path / "calibration", tiny_onnx)
    frame = cv2.blur(frame, (5, 5))  # as the crops that calibrated
    build(tiny_onnx, tmp_path / "out", "onnxruntime", GraphPrecisions.parse(precision), "", ranges=calibration)
    maps = []
    for folder in (tiny_engines, tmp_path / "out"):
        matcher = opened(folder)
        matcher.remember(frame, TEMPLATE, FILL)
        maps.append(matcher.match(frame, SEARCH, FILL).cls)
    assert 0 < np.square(maps[0] - maps[1]).mean() / np.square(maps[0]).mean() < 0.02


def test_a_kernel_that_is_no_float_is_refused(tmp_path, tiny_engines):
    shutil.copytree(tiny_engines, tmp_path / "engines")
    path = tmp_path / "engines" / "xcorr.onnx"
    model = onnx.load(str(path))
    for weight in model.graph.initializer:
        if weight.name == "kernel_cls":
            double = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float64), "kernel_cls")
            weight.CopyFrom(double)
            narrow = onnx.helper.make_node("Cast", ["kernel_cls"], ["narrow"], to=onnx.TensorProto.FLOAT)
    model.graph.node[0].input[1] = "narrow"
    model.graph.node.insert(0, narrow)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(EngineMismatchError, match="has its kernel_cls in DOUBLE"):
        opened(tmp_path / "engines")


def test_the_stages_are_timed(tiny_engines, frame):
    matcher = opened(tiny_engines)
    started = matcher.remember(frame, TEMPLATE, FILL)
    assert list(started) == ["crop", "target", "refit"]
    times = matcher.match(frame, SEARCH, FILL).times
    assert list(times) == ["crop", "search", "xcorr"]
    assert min(*started.values(), *times.values()) > 0


@pytest.mark.parametrize("slow", ["search", "xcorr"])
def test_each_stage_is_charged_with_its_own_time(tiny_engines, frame, monkeypatch, slow):
    run = Engine.run

    def slowed(engine, tensors):
        outputs = run(engine, tensors)
        if (slow == "xcorr") == ("cls" in outputs):
            time.sleep(0.2)
        return outputs

    matcher = opened(tiny_engines)
    matcher.remember(frame, TEMPLATE, FILL)
    monkeypatch.setattr(Engine, "run", slowed)
    times = matcher.match(frame, SEARCH, FILL).times
    assert max(times, key=times.get) == slow


@pytest.mark.parametrize("value", [65504.0 * 1.01, -1e6, np.inf, np.nan])
def test_a_kernel_beyond_float16_is_refused_instead_of_becoming_infinite(tmp_path, tiny_onnx, value):
    build(tiny_onnx, tmp_path, "onnxruntime", GraphPrecisions.parse("fp16"), "")
    model = ModelCard.load(tmp_path)
    xcorr = Engine(tmp_path / "xcorr.onnx", model.graph("xcorr"), model.refitted("xcorr"), threads=1)
    kernels = {spec.name: np.ones(spec.shape, np.float32) for spec in model.kernels}
    xcorr.refit(kernels)
    kernels["kernel_loc"][0, 0, 2, 2] = value
    with pytest.raises(InferenceError, match="kernel_loc does not fit float16\n  try: build xcorr in fp32"):
        xcorr.refit(kernels)


@pytest.fixture
def copied(tmp_path, tiny_engines):
    shutil.copytree(tiny_engines, tmp_path / "engines")
    return tmp_path / "engines"


def test_a_truncated_graph_without_manifest_is_refused_too(copied):
    path = copied / "search.onnx"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ArtifactError, match="not a whole ONNX graph"):
        opened(copied)


def test_an_engine_of_another_model_is_refused(copied, tiny_onnx):
    shutil.copy(tiny_onnx / "target.onnx", copied / "search.onnx")
    with pytest.raises(EngineMismatchError, match="its model card says"):
        opened(copied)


def test_the_tracker_runs_on_it(tiny_engines, frame):
    with Tracker.open(tiny_engines, threads=1) as tracker:
        tracker.start(frame, BoundingBox(40, 40, 30, 30))
        assert 0 <= tracker.update(frame).score <= 1


def test_plans_are_refused_in_one_sentence(tmp_path, tiny_engines):
    folder = shutil.copytree(tiny_engines, tmp_path / "plans")
    (folder / "target.onnx").rename(folder / "target.plan")
    with pytest.raises(UsageError, match="holds plans, and this runs on ONNX Runtime alone"):
        opened(folder)
