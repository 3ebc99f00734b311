"""The double computes in the precisions of a plan, so that tolerances are tried on numbers, not on copies of FP32."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from engines.tensorrt.quantize import quantize_symmetric
from runtime.tensorrt.locator import open_targets
from siamtrt import ParityError
from siamtrt.geometry import Square
from siamtrt.ranges import Ranges, file_name
from tests.calibrated import write_calibration
from tests.doubles.clip import FILL, picture, read
from tests.doubles.tensorrt.arithmetic import computed

PLACES = [(x, y) for x in range(20, 150, 20) for y in (30, 60, 90)]


def run(model, feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def settings(*flags, **more):
    return {"typed": False, "flags": flags, "only_reformats": False, "pins": {}, "scales": {}, **more}


@pytest.fixture
def search(tiny_onnx):
    return onnx.load(str(tiny_onnx / "search.onnx"))


@pytest.fixture
def crop():
    return {"search": np.random.default_rng(0).integers(0, 256, (1, 3, 255, 255)).astype(np.float32)}


def test_half_precision_rounds_and_overflows(search, crop):
    exact, half = run(search, crop)[0], run(computed(search, settings("FP16")), crop)[0]
    assert 0 < np.abs(half - exact).max() < 5e-3 * np.abs(exact).max()
    stem = next(weight for weight in search.graph.initializer if weight.name == "stem")
    stem.CopyFrom(onnx.numpy_helper.from_array(1e4 * onnx.numpy_helper.to_array(stem), "stem"))
    assert np.isfinite(run(search, crop)[0]).all()
    assert not np.isfinite(run(computed(search, settings("FP16")), crop)[0]).all()


def test_int8_is_the_symmetric_form_by_the_scales_of_the_build(search, crop, tiny_onnx, tmp_path):
    folder = write_calibration(tmp_path / "calibration", tiny_onnx)
    ranges = Ranges.load(folder / file_name("search"), onnx=tiny_onnx / "search.onnx")
    scales = {name: tensor.amax / 127 for name, tensor in ranges.tensors.items()}
    found = run(computed(search, settings("INT8", scales=scales)), crop)
    exact = run(search, crop)
    symmetric = onnx.ModelProto()
    symmetric.CopyFrom(search)
    symmetric = quantize_symmetric(symmetric, ranges, ())
    for value, expected, plain in zip(found, run(symmetric, crop), exact):
        np.testing.assert_allclose(value, expected, atol=1e-4 * np.abs(plain).max())
        assert np.abs(value - plain).max() > 1e-3 * np.abs(plain).max()


def test_pinned_layers_and_those_without_a_scale_stay_in_floating_point(search, crop):
    scales = dict.fromkeys(["search", "active"], 0.1)
    pins = {"stemmed": "HALF", "cls.raw": "HALF", "loc.raw": "HALF"}
    for left_out in (settings("INT8", scales=scales, pins=pins), settings("INT8", scales={})):
        np.testing.assert_array_equal(run(computed(search, left_out), crop)[0], run(search, crop)[0])


def proofs(board, tiny_onnx, tmp_path, precision, frame):
    """For how many targets at ``PLACES`` a plan is refused that was calibrated on parts of *frame*, or on noise."""
    double = board()
    double.build(precision, ranges=write_calibration(tmp_path / "calibration", tiny_onnx, frame=frame, samples=30))
    (locator,) = open_targets(*read(double.out))
    return sum(is_refused(locator, Square(x, y, 80, 127)) for x, y in PLACES)


def is_refused(locator, square):
    try:
        locator.remember(picture(), square, FILL)
    except ParityError:
        return True
    return False


@pytest.mark.parametrize("precision", ["int8", "int8-all"])
def test_the_refit_proof_takes_int8_that_was_calibrated_on_what_it_sees(board, tiny_onnx, tmp_path, precision):
    assert proofs(board, tiny_onnx, tmp_path, precision, picture()) == 0


def test_the_refit_proof_refuses_int8_that_cuts_off_what_it_sees(board, tiny_onnx, tmp_path):
    assert proofs(board, tiny_onnx, tmp_path, "int8", None) > 0
