from __future__ import annotations

import numpy as np
import pytest

from engines.build import BACKENDS
from engines.tensorrt.building import CALIBRATORS, TensorrtOptions
from runtime.tensorrt.chain import ChainOptions
from runtime.tensorrt.locator import open_targets
from siamtrt import ArtifactError, GraphPrecisions, ParityError
from siamtrt.geometry import Square
from siamtrt.ranges import Ranges, file_name
from tests import tiny
from tests.built import build
from tests.calibrated import write_calibration
from tests.doubles.clip import FILL, as_rows, clip, follow, on_the_cpu, picture, read

TEMPLATE = Square(60, 60, 80, 127)


@pytest.fixture
def long_term(tmp_path):
    tiny.write_tiny_model(tmp_path / "onnx", lost=True)
    return tmp_path / "onnx"


@pytest.mark.parametrize("decode", [True, False])
@pytest.mark.parametrize("graphs", [True, False])
def test_a_target_is_lost_and_found_as_on_onnx_runtime(board, long_term, decode, graphs):
    double = board(onnx=long_term)
    manifest = double.build()
    assert {"search_lost.plan", "xcorr_lost.plan", "xcorr_lost.onnx"} <= set(manifest.files)
    frames = clip(picture(), 12)
    expected = follow(on_the_cpu(long_term), frames)
    found = follow(open_targets(*read(double.out), options=ChainOptions(decode=decode, graphs=graphs))[0], frames)
    lost = [state.lost for state in expected]
    assert {(True, False), (False, True)} <= set(zip(lost, lost[1:]))
    assert [state.lost for state in found] == lost
    np.testing.assert_allclose(as_rows(found), as_rows(expected), atol=1e-3)
    np.testing.assert_allclose([state.score for state in found], [state.score for state in expected], atol=1e-5)


def test_the_large_search_costs_one_launch_and_one_wait_too(board, long_term):
    double = board(onnx=long_term, integrated=False)
    double.build()
    (locator,) = open_targets(*read(double.out))
    locator.remember(picture(), TEMPLATE, FILL)
    assert double.cudart.count("capture") == 2
    double.cudart.forget_calls()
    for square in (Square(60, 60, 160, 255), Square(60, 60, 240, tiny.LOST_PX)):
        locator.locate(picture(), square, FILL, (60, 60))
    assert double.cudart.calls == ["cudaGraphLaunch", "cudaStreamSynchronize"] * 2
    assert double.cudart.copied[2] == 2 * 28


def test_the_refit_of_each_search_is_proved(board, long_term, monkeypatch):
    double = board(onnx=long_term, bad_refit="stale")
    double.build()
    (locator,) = open_targets(*read(double.out))
    del locator._chain._stages[255]
    with pytest.raises(ParityError, match="after the refit xcorr_lost"):
        locator.remember(picture(), TEMPLATE, FILL)


@pytest.mark.parametrize("calibrator", CALIBRATORS)
def test_int8_takes_the_ranges_of_each_search(board, long_term, tmp_path, calibrator):
    double = board(onnx=long_term)
    calibration = write_calibration(tmp_path / "calibration", long_term)
    three = "target=int8,search=int8,xcorr=int8"
    manifest = double.build(three, ranges=calibration, tensorrt=TensorrtOptions(calibrator=calibrator))
    assert str(calibration / "xcorr_lost.ranges.json") in manifest.parents
    scales = [built["scales"] for built in double.trt.log_of_builds]
    for built, graph in zip(scales, ("target", "search", "xcorr", "search_lost", "xcorr_lost")):
        measured = Ranges.load(calibration / file_name(graph), onnx=long_term / f"{graph}.onnx").tensors
        assert built == pytest.approx({name: measured[name].amax / 127 for name in built}, rel=1e-4)
    assert scales[1]["feature_cls"] != scales[3]["feature_cls"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_ranges_measured_without_the_large_search_are_refused_before_the_first_graph(board, tmp_path, backend):
    tiny.write_tiny_model(tmp_path / "onnx", kernel_inputs=True)
    calibration = write_calibration(tmp_path / "calibration", tmp_path / "onnx")
    tiny.write_tiny_model(tmp_path / "onnx", kernel_inputs=True, lost=True)
    board("10.16.1")
    precision, out = GraphPrecisions.parse("int8"), tmp_path / "engines"
    with pytest.raises(ArtifactError, match=r"holds no activation ranges of search_lost, xcorr_lost\n.*calibration --"):
        build(tmp_path / "onnx", out, backend, precision, "", ranges=calibration)
    assert not out.exists()
    write_calibration(calibration, tmp_path / "onnx")
    assert "search_lost" in str(build(tmp_path / "onnx", out, backend, precision, "", ranges=calibration).files)
