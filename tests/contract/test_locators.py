"""What every locator promises a tracker, whatever runs below it."""

from __future__ import annotations

import math
import time
from dataclasses import astuple, dataclass

import numpy as np
import pytest

from runtime.frames import as_bgr
from runtime.matcher import STAGES
from runtime.nv12 import Nv12Frame
from runtime.open_engines import open_locators
from runtime.tracker import Tracker
from siamtrt import GraphPrecisions, InferenceError, ModelCard, ParityError
from siamtrt.geometry import Square
from tests import tiny
from tests.built import build
from tests.doubles.clip import BOXES, FILL, as_rows, clip, follow, on_the_cpu, picture

TEMPLATE, SEARCH, SIZE = Square(60, 60, 80, 127), Square(60, 60, 160, 255), (60.0, 50.0)


@dataclass(frozen=True)
class Kind:
    """A way to be opened: the backend, where the box is chosen, whether kernels are inputs, and the threads."""

    backend: str
    decode: str | None = None
    kernel_inputs: bool = False
    threads: int = 1


KINDS = {
    "onnxruntime": Kind("onnxruntime"),
    "onnxruntime, kernel inputs": Kind("onnxruntime", "host", kernel_inputs=True),
    "onnxruntime, beside each other": Kind("onnxruntime", threads=2),
    "tensorrt": Kind("tensorrt"),
    "tensorrt, decode on the host": Kind("tensorrt", "host"),
    "tensorrt, kernel inputs": Kind("tensorrt", "device", kernel_inputs=True),
}


@pytest.fixture(params=list(KINDS.values()), ids=list(KINDS))
def opened(request, board, tmp_path):
    """Opens locators of a tiny model: ``opened(count, lost=True, ...)``; they are closed at the end."""
    kind, made = request.param, []

    def start(count=1, **model):
        onnx, out = tmp_path / "onnx", tmp_path / "engines"
        tiny.write_tiny_model(onnx, kernel_inputs=kind.kernel_inputs, **model)
        board(onnx=onnx)
        build(onnx, out, kind.backend, GraphPrecisions.parse("fp32"), "make engines")
        made.extend(open_locators(out, count, threads=kind.threads, decode=kind.decode))
        return made[-count:]

    start.onnx = tmp_path / "onnx"
    yield start
    for locator in made:
        locator.close()


@pytest.fixture
def locator(opened):
    return opened()[0]


def box(locator, frame, square=SEARCH, size=SIZE):
    return astuple(locator.locate(frame, square, FILL, size).candidate)


def test_the_card_is_the_models(opened):
    (locator,) = opened()
    assert locator.card == ModelCard.load(opened.onnx)


@pytest.mark.parametrize("points", [False, True], ids=["anchors", "points"])
def test_boxes_are_those_of_onnx_runtime(opened, points):
    (locator,) = opened(points=points)
    expected = as_rows(follow(on_the_cpu(opened.onnx), clip(picture())))
    np.testing.assert_allclose(as_rows(follow(locator, clip(picture()))), expected, atol=1e-3)


def test_a_frame_in_nv12_has_the_box_of_the_converted_one(locator):
    frames = [Nv12Frame.of_bgr(frame) for frame in clip(picture())]
    locator.remember(frames[0], TEMPLATE, FILL)
    found = [box(locator, frame) for frame in frames]
    locator.remember(as_bgr(frames[0]), TEMPLATE, FILL)
    np.testing.assert_allclose(found, [box(locator, as_bgr(frame)) for frame in frames], atol=1e-3)


def test_a_lost_target_is_searched_at_the_size_that_is_asked_for(opened):
    (locator,) = opened(lost=True)
    expected = follow(on_the_cpu(opened.onnx), clip(picture(), 12))
    states = follow(locator, clip(picture(), 12))
    assert [state.lost for state in states] == [state.lost for state in expected]
    assert {True, False} == {state.lost for state in states}
    np.testing.assert_allclose(as_rows(states), as_rows(expected), atol=1e-3)


def test_nothing_is_located_before_a_target_is_remembered(locator):
    with pytest.raises(InferenceError, match="no target was remembered"):
        locator.locate(picture(), SEARCH, FILL, SIZE)


def test_another_target_changes_the_box_and_the_first_gives_it_back(locator):
    boxes = []
    for template in (TEMPLATE, Square(100, 40, 50, 127), TEMPLATE):
        locator.remember(picture(), template, FILL)
        boxes.append(box(locator, picture()))
    assert boxes[0] != boxes[1]
    assert boxes[0] == boxes[2]


def test_targets_do_not_disturb_each_other(opened):
    locators = opened(3)
    expected = [as_rows(follow(on_the_cpu(opened.onnx), clip(picture()), start)) for start in BOXES]
    trackers = [Tracker(locator) for locator in locators]
    for tracker, start in zip(trackers, BOXES):
        tracker.start(picture(), start)
    states = [[tracker.update(frame) for tracker in trackers] for frame in clip(picture())[1:]]
    np.testing.assert_allclose([as_rows(of_one) for of_one in zip(*states)], expected, atol=1e-3)


def test_the_last_size_takes_part_in_the_choice(locator):
    locator.remember(picture(), TEMPLATE, FILL)
    assert box(locator, picture(), size=(60, 50)) != box(locator, picture(), size=(200, 20))


def test_frames_are_read_only_and_not_kept(locator):
    frame = picture()
    frame.setflags(write=False)
    locator.remember(frame, TEMPLATE, FILL)
    first = box(locator, frame)
    box(locator, 255 - frame)
    assert box(locator, frame) == first


def test_what_lies_outside_the_frame_is_the_fill(locator):
    locator.remember(picture(), TEMPLATE, FILL)
    corner = Square(0, 0, 200, 255)
    dark, light = (locator.locate(picture(), corner, fill, SIZE).candidate for fill in [(0, 0, 0), (255, 255, 255)])
    assert dark != light


def test_frames_may_change_their_size_with_the_target(locator):
    locator.remember(picture(), TEMPLATE, FILL)
    first = box(locator, picture())
    larger = np.zeros((240, 320, 3), np.uint8)
    locator.remember(larger, TEMPLATE, FILL)
    box(locator, larger)
    locator.remember(picture(), TEMPLATE, FILL)
    assert box(locator, picture()) == first


def test_stages_are_timed_apart_in_nanoseconds(locator):
    started_ns = time.perf_counter_ns()
    remembered = locator.remember(picture(), TEMPLATE, FILL)
    located = locator.locate(picture(), SEARCH, FILL, SIZE).times
    spent_ns = time.perf_counter_ns() - started_ns
    assert {"target", "refit"} <= set(remembered) <= set(STAGES)
    assert set(located) <= set(STAGES)
    assert {"network"} <= set(located) or {"search", "xcorr"} <= set(located)
    values = [*remembered.values(), *located.values()]
    assert all(type(value) is int and value > 0 for value in values)
    assert sum(values) <= spent_ns


@pytest.mark.parametrize("maps", ["scores", "boxes"])
def test_maps_that_are_no_numbers_are_an_error(opened, monkeypatch, maps):
    head = {"scores": (10, tiny.CHANNELS, 1, 1), "boxes": (20, tiny.CHANNELS, 1, 1)}[maps]
    honest = tiny._weights

    def broken(rng, shape, scale):
        return np.full(shape, math.nan, np.float32) if shape == head else honest(rng, shape, scale)

    monkeypatch.setattr(tiny, "_weights", broken)
    (locator,) = opened()

    def track():
        locator.remember(picture(), TEMPLATE, FILL)  # raises where a refit is proved
        locator.locate(picture(), SEARCH, FILL, SIZE)

    with pytest.raises((InferenceError, ParityError), match=r"no numbers|is nan of its range off"):
        track()


def test_a_closed_locator_locates_nothing_and_may_be_closed_again(locator):
    locator.remember(picture(), TEMPLATE, FILL)
    locator.close()
    with pytest.raises(InferenceError):
        locator.locate(picture(), SEARCH, FILL, SIZE)
    locator.close()
