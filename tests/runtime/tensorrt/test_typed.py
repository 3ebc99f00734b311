"""Plans by types, opened by the library that built them."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks.profiling.layers.profile import profile
from engines.tensorrt.building import TensorrtOptions
from runtime.open_engines import open_locators
from siamtrt import EngineMismatchError, MissingDependencyError
from tests import tiny
from tests.calibrated import write_calibration
from tests.doubles.clip import as_rows, clip, follow, on_the_cpu, picture

RTX = "1.7.1.116"
ADA = TensorrtOptions(compute_capabilities=("8.9", "8.6"))
LIBRARIES = pytest.mark.parametrize("version", [RTX, "10.16.1", "11.0.0"])


@pytest.fixture
def typed(board, tmp_path):
    """Plans of the tiny model on the double of a library."""

    def made(version, precision="fp32", options=None):
        onnx = tmp_path / "onnx"
        tiny.write_tiny_model(onnx, kernel_inputs=True)
        double = board(version, onnx=onnx)
        double.cudart.attributes.update({75: 8, 76: 9})
        ranges = write_calibration(tmp_path / "calibration", onnx) if "int8" in precision else None
        double.build(precision, "typed", tensorrt=options, ranges=ranges)
        return double

    return made


def boxes(locator):
    return as_rows(follow(locator, clip(picture())))


@LIBRARIES
@pytest.mark.parametrize(("precision", "frames", "apart_px"), [("fp32", 5, 1e-3), ("fp16", 5, 0.2), ("int8", 1, 1.0)])
@pytest.mark.parametrize("decode", ["host", "device"])
def test_typed_plans_run_on_their_library(typed, tiny_engines, version, precision, frames, apart_px, decode):
    double = typed(version, precision)
    (locator,) = open_locators(double.out, decode=decode)
    expected = boxes(on_the_cpu(tiny_engines))[
        :frames
    ]  # random weights prefer no cell by much: INT8 soon takes another
    np.testing.assert_allclose(boxes(locator)[:frames], expected, atol=apart_px)
    assert double.cudart.count("cudaGraphLaunch") == 5
    assert double.cudart.memory == {}


def test_each_plan_is_opened_by_the_library_its_manifest_names(typed, monkeypatch):
    double = typed(RTX)
    monkeypatch.setitem(sys.modules, "tensorrt", double.trt)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(MissingDependencyError, match="tensorrt_rtx cannot be imported"):
        open_locators(double.out)


def test_plans_of_another_version_are_not_even_read(typed, board):
    double = typed(RTX)
    board("1.8.0.1")
    with pytest.raises(EngineMismatchError, match=r"tensorrt_rtx 1\.7\.1\.116, this machine has 1\.8\.0\.1"):
        open_locators(double.out)


@pytest.mark.parametrize(("minor", "opens"), [(9, True), (6, True), (0, False)])
def test_plans_for_named_gpus_open_on_these(typed, minor, opens):
    double = typed(RTX, options=ADA)
    double.cudart.attributes[76] = minor
    if opens:
        open_locators(double.out)[0].close()
        return
    with pytest.raises(EngineMismatchError, match=r"compute_capability 8\.9, 8\.6, this machine has 8\.0"):
        open_locators(double.out)


def test_their_layers_are_profiled_by_that_library_too(typed):
    report = profile(typed(RTX).out, 3, None)
    assert {layer.graph for layer in report.layers} == {"target", "search", "xcorr"}
