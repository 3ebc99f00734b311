"""A graph on a deep learning accelerator: what is asked of TensorRT, what is refused, and what is told."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.profiling.layers.profile import profile
from engines.tensorrt.building import TensorrtOptions
from runtime.tensorrt.locator import open_targets
from siamtrt import UsageError
from tests.calibrated import write_calibration
from tests.doubles.clip import as_rows, clip, follow, on_the_cpu, picture, read

SEARCH = TensorrtOptions(dla=("search=1",))


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_one_graph_goes_to_its_core_and_the_others_stay(board, tiny_onnx, tmp_path, precision):
    double = board()
    ranges = write_calibration(tmp_path / "calibration", tiny_onnx) if precision == "int8" else None
    manifest = double.build(precision, tensorrt=SEARCH, ranges=ranges)
    target, search, xcorr = double.trt.log_of_builds
    assert (target["dla"], xcorr["dla"]) == ([], [])
    assert search["dla"][0] == 1
    assert "GPU_FALLBACK" in search["flags"]
    assert "GPU_FALLBACK" not in target["flags"]
    assert manifest.settings["dla"] == ["search=1"]


def test_what_a_core_does_not_take_is_told_before_the_build_and_runs_on_the_gpu(board, caplog):
    double = board(not_on_dla=["loc.raw"])
    with caplog.at_level("INFO"):
        double.build("fp16", tensorrt=SEARCH)
    assert "search: 5 of 6 layers on DLA core 1" in caplog.text
    assert "search: loc.raw stays on the GPU" in caplog.text
    report = profile(double.out, 3, None)
    devices = {layer.name: layer.device for layer in report.layers if layer.graph == "search"}
    assert (
        devices["loc.raw + loc.raw_relu" if "loc.raw + loc.raw_relu" in devices else layer_of(devices, "loc.raw")]
        == "gpu"
    )
    assert devices[layer_of(devices, "cls.raw")] == "dla"
    assert {layer.device for layer in report.layers if layer.graph == "xcorr"} == {"gpu"}


def layer_of(devices, node):
    return next(name for name in devices if name.startswith(node))


def test_plans_are_opened_for_the_core_they_were_built_for(board, tiny_engines):
    double = board()
    double.build("fp16", tensorrt=SEARCH)
    (locator,) = open_targets(*read(double.out))
    frames = clip(picture())
    np.testing.assert_allclose(
        as_rows(follow(locator, frames))[0], as_rows(follow(on_the_cpu(tiny_engines), frames))[0], atol=0.5
    )


@pytest.mark.parametrize(
    ("precision", "dla", "sentence"),
    [
        ("fp16", "search=2", "2 DLA cores, so no number 2"),
        ("fp32", "search=0", "a DLA computes no FP32, which search is built in"),
        ("fp16", "xcorr=0", "xcorr is refitted for each target"),
        ("fp16", "neck=0", "--dla names neck, tiny has target, search, xcorr"),
        ("fp16", "search", "--dla search names no graph and core"),
        ("fp16", "search=x", "--dla search=x names no graph and core"),
    ],
)
def test_what_cannot_be_is_refused(board, precision, dla, sentence):
    with pytest.raises(UsageError, match=sentence):
        board().build(precision, tensorrt=TensorrtOptions(dla=(dla,)))


def test_a_graph_has_one_core(board):
    with pytest.raises(UsageError, match="or a graph twice"):
        board().build("fp16", tensorrt=TensorrtOptions(dla=("search=0", "search=1")))


def test_other_backends_have_no_dla(board):
    with pytest.raises(UsageError, match="--dla is of no use to --backend onnxruntime"):
        board().build("fp16", "onnxruntime", tensorrt=SEARCH)
