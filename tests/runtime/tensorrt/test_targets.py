from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
import pytest

from runtime.tensorrt.chain import ChainOptions
from runtime.tensorrt.locator import TensorrtLocator, open_targets
from runtime.track import track
from runtime.tracker import Tracker
from siamtrt import InferenceError, UsageError
from siamtrt.geometry import Square
from tests import tiny
from tests.doubles.clip import BOXES, FILL, as_rows, clip, follow, on_the_cpu, picture, read

TEMPLATE, SEARCH = Square(60, 60, 80, 127), Square(60, 60, 160, 255)


@pytest.fixture
def inputs_board(board, tmp_path):
    """Engines whose kernels are inputs."""

    def start(**quirks):
        tiny.write_tiny_model(tmp_path / "onnx", kernel_inputs=True)
        double = board(onnx=tmp_path / "onnx", **quirks)
        double.build()
        return double

    return start


def by_onnx_runtime(engines, frames):
    return [as_rows(follow(on_the_cpu(engines), frames, box)) for box in BOXES]


def interleaved(backends, frames):
    trackers = [Tracker(backend) for backend in backends]
    for tracker, box in zip(trackers, BOXES):
        tracker.start(frames[0], box)
    states = [[tracker.update(frame) for tracker in trackers] for frame in frames[1:]]
    for tracker in trackers:
        tracker.close()
    return [as_rows(of_one) for of_one in zip(*states)]


@pytest.mark.parametrize("decode", [True, False])
@pytest.mark.parametrize("graphs", [True, False])
def test_targets_that_share_engines_do_not_disturb_each_other(inputs_board, tiny_engines, decode, graphs):
    double = inputs_board(integrated=decode)
    frames = clip(picture())
    expected = by_onnx_runtime(tiny_engines, frames)
    found = interleaved(open_targets(*read(double.out), 3, ChainOptions(decode=decode, graphs=graphs)), frames)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert not np.allclose(expected[0], expected[1], atol=10)
    assert double.cudart.memory == {}


def test_one_engine_one_capture_and_no_refit(inputs_board):
    double = inputs_board(integrated=False)
    double.trt.log_of_engines.clear()
    locators = open_targets(*read(double.out), 3)
    assert double.trt.log_of_engines == ["target", "search", "xcorr"]
    for locator, x in zip(locators, (40, 60, 80)):
        locator.remember(picture(), Square(x, 60, 80, 127), FILL)
    assert double.cudart.count("capture") == 1
    double.cudart.forget_calls()
    for locator in locators:
        locator.locate(picture(), SEARCH, FILL, (60, 60))
    # the last remembered has its kernels in place still; each switch is one copy on the GPU
    one = ["cudaMemcpyAsync", "cudaGraphLaunch", "cudaStreamSynchronize"]
    assert double.cudart.calls == one * 3
    kernels_bytes = 2 * 1024  # two of 8x1x5x5 float32, each at a multiple of 256
    assert double.cudart.copied == {1: 3 * 120 * 160 * 3, 2: 3 * 28, 3: 3 * kernels_bytes}
    double.cudart.forget_calls()
    locators[2].locate(picture(), SEARCH, FILL, (60, 60))
    assert double.cudart.calls == one[1:]


def test_a_frame_of_another_size_is_captured_anew(inputs_board):
    larger = np.random.default_rng(3).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    (first,) = open_targets(*read(inputs_board().out))
    (second,) = open_targets(*read(inputs_board().out))
    first.remember(picture(), TEMPLATE, FILL)
    for locator in (first, second):
        locator.remember(larger, TEMPLATE, FILL)
    found = [locator.locate(larger, SEARCH, FILL, (60, 60)).candidate for locator in (first, second)]
    assert found[0] == found[1]


def test_engines_live_until_their_last_target_is_closed(inputs_board):
    double = inputs_board()
    first, second = open_targets(*read(double.out), 2)
    for locator in (first, second):
        locator.remember(picture(), TEMPLATE, FILL)
    first.close()
    first.close()
    with pytest.raises(InferenceError, match="no target"):
        first.locate(picture(), SEARCH, FILL, (60, 60))
    second.locate(picture(), SEARCH, FILL, (60, 60))
    second.close()
    assert double.cudart.memory == {}


def test_a_target_is_remembered_for_itself_only(inputs_board):
    first, second = open_targets(*read(inputs_board().out), 2)
    first.remember(picture(), TEMPLATE, FILL)
    with pytest.raises(InferenceError, match="no target was remembered"):
        second.locate(picture(), SEARCH, FILL, (60, 60))


def test_kernels_that_are_weights_have_room_for_one_target(board):
    double = board()
    double.build()
    (locator,) = open_targets(*read(double.out))
    with pytest.raises(UsageError, match="--kernel-inputs"):
        TensorrtLocator(locator._chain)


def test_such_targets_take_an_engine_each(board, tiny_engines, caplog):
    double = board()
    double.build()
    frames = clip(picture())
    with caplog.at_level(logging.INFO):
        backends = open_targets(*read(double.out), 3)
    assert "3 targets take 3 copies" in caplog.text
    np.testing.assert_allclose(interleaved(backends, frames), by_onnx_runtime(tiny_engines, frames), atol=1e-3)


@pytest.mark.parametrize("decode", [None, "host", "device"])
def test_the_command_follows_several_targets(inputs_board, tiny_engines, tmp_path, decode):
    double = inputs_board()
    frames = clip(picture())
    source = SimpleNamespace(frames=lambda: iter(frames), fps=25, count=len(frames))
    track(double.out, source, BOXES, tmp_path / "out", decode=decode)
    for number, expected in enumerate(by_onnx_runtime(tiny_engines, frames), 1):
        lines = (tmp_path / "out" / f"target{number}" / "boxes.txt").read_text().split()
        found = np.array([line.split(",") for line in lines], float)
        np.testing.assert_allclose(found[1:], expected, atol=2e-3)  # written with three decimals or more
