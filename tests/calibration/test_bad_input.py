"""What cannot be calibrated, or not go on, ends in one sentence."""

from __future__ import annotations

import cv2
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from calibration.calibrate import calibrate
from siamtrt import ArtifactError, InferenceError, Manifest, UsageError
from siamtrt.ranges import Ranges
from tests.tiny import write_tiny_model
from tests.videos import write_video


def test_more_crops_than_frames_are_refused(request_of, tmp_path):
    with pytest.raises(UsageError, match=r"500 crops were asked for, the frames give 1 to \d+"):
        calibrate(request_of(crops=500), tmp_path, "")


def test_an_output_among_the_frames_is_refused(request_of, frames):
    with pytest.raises(UsageError, match="lies in the frames"):
        calibrate(request_of(), frames / "walk" / "calibration", "")


def test_black_frames_are_refused(request_of, tmp_path):
    write_video(tmp_path / "frames" / "night", 3)
    for path in (tmp_path / "frames" / "night").glob("*.png"):
        cv2.imwrite(str(path), np.zeros((120, 160, 3), np.uint8))
    with pytest.raises(UsageError, match=r"png in night is all \(0, 0, 0\)"):
        calibrate(request_of(source=tmp_path / "frames", crops=3), tmp_path / "out", "")


def rewritten(folder, graph, change):
    """A tiny model whose *graph* was changed, with a manifest that fits."""
    write_tiny_model(folder)
    model = onnx.load(str(folder / f"{graph}.onnx"))
    change(model.graph)
    onnx.save(model, str(folder / f"{graph}.onnx"))
    names = ["target.onnx", "search.onnx", "xcorr.onnx", "model.json"]
    Manifest.of(folder, names, stage="export", command="", parents=[], settings={}, environment={}).save(folder)
    return folder


def spoil(graph):
    for node in graph.node:
        if node.op_type == "Relu" and node.output[0] == "active":
            node.op_type = "Log"


def test_a_nan_activation_names_tensor_graph_and_frame(request_of, frames, tmp_path):
    folder = rewritten(tmp_path / "onnx", "search", spoil)
    with pytest.raises(InferenceError, match=r"active of search\.onnx is NaN or infinite, at 000\.png of walk"):
        calibrate(request_of(folder, source=frames / "walk"), tmp_path / "out", "")


def test_a_nan_while_tracking_names_the_frame(request_of, frames, tmp_path):
    folder = rewritten(tmp_path / "onnx", "search", spoil)
    with pytest.raises(InferenceError, match=r"no numbers, at .*tracked/001"):
        calibrate(request_of(folder, source=frames / "tracked"), tmp_path / "out", "")


def test_an_output_that_stays_zero_is_refused(request_of, tmp_path):
    def kill(graph):
        for weight in graph.initializer:
            if weight.name == "loc.head":
                weight.CopyFrom(numpy_helper.from_array(np.zeros(tuple(weight.dims), np.float32), weight.name))

    folder = rewritten(tmp_path / "onnx", "xcorr", kill)
    with pytest.raises(InferenceError, match=r"loc, an output of xcorr\.onnx, is zero in every sample"):
        calibrate(request_of(folder), tmp_path / "out", "")


def test_a_dead_tensor_within_is_harmless(request_of, tmp_path, caplog):
    def add_dead(graph):
        zero = numpy_helper.from_array(np.zeros(1, np.float32), "zero")
        graph.initializer.append(zero)
        graph.node.insert(2, helper.make_node("Mul", ["active", "zero"], ["dead"]))

    folder = rewritten(tmp_path / "onnx", "search", add_dead)
    calibrate(request_of(folder), tmp_path / "out", "")
    assert Ranges.load(tmp_path / "out" / "search.ranges.json", onnx=folder / "search.onnx").tensors["dead"].amax < 0.01
    assert "zero in every sample" in caplog.text


def test_damaged_histograms_are_named(copied, request_of):
    path = copied / "histograms.npz"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ArtifactError, match=r"cannot read .*histograms\.npz"):
        calibrate(request_of(), copied, "")


def test_a_missing_sample_is_named(copied, request_of):
    (copied / "histograms.npz").unlink()
    (copied / "samples" / "search" / "00003.png").unlink()
    with pytest.raises(ArtifactError, match=r"00003\.png is gone or damaged"):
        calibrate(request_of(), copied, "")
