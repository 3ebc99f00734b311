from __future__ import annotations

import numpy as np
import pytest

from runtime.matcher import Square
from runtime.onnx_matcher import OnnxMatcher
from runtime.tensorrt.matcher import open_targets
from siamtrt import ModelCard, ParityError
from tests import tiny
from tests.tensorrt.clip import FILL, as_rows, clip, follow, picture, read

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
    expected = follow(OnnxMatcher(long_term, ModelCard.load(long_term)), frames)
    found = follow(open_targets(*read(double.out), decode=decode, graphs=graphs)[0], frames)
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
    del locator._chain._searches[255]
    with pytest.raises(ParityError, match="after the refit xcorr_lost"):
        locator.remember(picture(), TEMPLATE, FILL)
