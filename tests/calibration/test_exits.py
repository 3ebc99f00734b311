"""A model with exits in INT8: ranges of every stage on every crop, maps between stages measured as they are."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.calibrate import calibrate
from engines.onnxruntime import builder
from engines.tensorrt.building import TensorrtOptions
from runtime.tracker import Tracker
from siamtrt import GraphPrecisions, UsageError
from siamtrt.libraries.onnxruntime import open_session
from siamtrt.ranges import Ranges, file_name
from tests.built import build
from tests.doubles.clip import BOXES, clip, picture
from tests.tiny_cascade import write_tiny_cascade


@pytest.fixture(scope="module")
def ranges(tmp_path_factory, request_of):
    root = tmp_path_factory.mktemp("exits")
    write_tiny_cascade(root / "onnx")
    calibrate(request_of(onnx_folder=root / "onnx"), root / "ranges", "make calibrate")
    return root


def of(root, graph):
    return Ranges.load(root / "ranges" / file_name(graph), onnx=root / "onnx" / f"{graph}.onnx").tensors


def test_what_a_stage_hands_on_has_one_range(ranges):
    assert of(ranges, "search_1")["trunk_1"] == of(ranges, "search_2")["trunk_1"]
    for name in ("level_cls_1", "level_loc_1"):
        assert of(ranges, "xcorr_1")[name] == of(ranges, "xcorr_2")[name] == of(ranges, "xcorr_3")[name]


def test_every_stage_is_built_in_int8_and_its_scores_are_not(ranges):
    out = ranges / "int8"
    build(
        ranges / "onnx",
        out,
        "onnxruntime",
        GraphPrecisions.parse("int8"),
        "make",
        ranges=ranges / "ranges",
        correction_samples=2,
    )
    states = {}
    for engines in (out, ranges / "fp32"):
        if engines.name == "fp32":
            build(ranges / "onnx", engines, "onnxruntime", GraphPrecisions.parse("fp32"), "make")
        with Tracker.open(engines, threads=1, policy="fixed:3") as tracker:
            video = clip(picture(), 4)
            tracker.start(video[0], BOXES[0])
            states[engines.name] = [tracker.update(frame) for frame in video[1:]]
    for small, whole in zip(states["int8"], states["fp32"]):
        for one, other in zip(small.exit.scores, whole.exit.scores):
            assert one["peak"] == pytest.approx(other["peak"], abs=0.05)
            assert one["peak"] != other["peak"]


def test_biases_of_every_stage_are_corrected_on_what_earlier_ones_make_of_the_crops(ranges, tmp_path, monkeypatch):
    asked = {}

    def spy(model, samples, quantize, raw_outputs):
        asked[model.graph.input[0].name] = samples
        return model

    monkeypatch.setattr(builder, "correct_biases", spy)
    precisions, words = GraphPrecisions.parse("int8"), {"ranges": ranges / "ranges", "correction_samples": 2}
    build(ranges / "onnx", tmp_path / "int8", "onnxruntime", precisions, "make", **words)
    assert set(asked) == {"search", "trunk_1", "trunk_2"}
    wanted = asked["search"]
    for number in (1, 2):
        session = open_session(ranges / "onnx" / f"search_{number}.onnx")
        trunk = f"trunk_{number}"
        wanted = [{trunk: session.run([trunk], feed)[0]} for feed in wanted]
        for one, other in zip(asked[trunk], wanted):
            np.testing.assert_array_equal(one[trunk], other[trunk])


def test_stages_hand_on_float32(ranges, tmp_path):
    precisions, options = GraphPrecisions.parse("fp16"), TensorrtOptions(features="hwc8")
    with pytest.raises(UsageError, match="exported with exits"):
        build(ranges / "onnx", tmp_path / "out", "tensorrt", precisions, "make", options)
