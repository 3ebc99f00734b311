"""What the double is for: mistakes with TensorRT's objects that a board would answer with a crash or with garbage."""

from __future__ import annotations

import gc
import warnings

import pytest

from runtime.open_engines import open_locators
from siamtrt import InferenceError
from siamtrt.geometry import Square
from siamtrt.libraries import tensorrt as library
from tests.doubles.clip import FILL, picture


def runtime_of(double):
    double.build()
    return double.trt.Runtime(library.make_logger(double.trt)), (double.out / "search.plan").read_bytes()


def collect():
    """Drop what nothing refers to; a socket that an earlier test left open is not this one's fault."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.parametrize(("version", "holds"), [("8.5.2.2", False), ("8.6.1", True), ("10.0.1", True)])
def test_the_inspector_of_8_5_does_not_hold_its_engine(board, version, holds):
    double = board(version)
    runtime, plan = runtime_of(double)
    inspector = runtime.deserialize_cuda_engine(plan).create_engine_inspector()
    collect()
    if holds:
        assert "Layers" in inspector.get_engine_information(double.trt.LayerInformationFormat.JSON)
        return
    with pytest.raises(SystemError, match="the engine was freed"):
        inspector.get_engine_information(double.trt.LayerInformationFormat.JSON)


def test_layer_information_outlives_no_engine(board):
    double = board("8.5.2.2")
    runtime, plan = runtime_of(double)
    assert "Layers" in library.layer_information(double.trt, runtime.deserialize_cuda_engine(plan))


@pytest.mark.parametrize("version", ["8.5.2.2", "10.16.1"])
def test_plans_keep_details_and_frames_run_without_them(board, version):
    double = board(version)
    double.build()
    assert {built["verbosity"] for built in double.trt.log_of_builds} == {"DETAILED"}
    (locator,) = open_locators(double.out)
    locator.remember(picture(), Square(60, 60, 80, 127), FILL)
    locator.close()
    assert set(double.trt.log_of_nvtx) == {"NONE"}


def test_a_refit_that_asks_for_more_is_refused(board):
    double = board(wants_more=True)
    double.build()
    (locator,) = open_locators(double.out)
    with pytest.raises(InferenceError, match=r"cannot be refitted, missing \['feature_cls \+ bias'\]"):
        locator.remember(picture(), Square(60, 60, 80, 127), FILL)
    locator.close()
