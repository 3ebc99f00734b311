"""Targets that are followed in one run of their engines, against a tracker each."""

from __future__ import annotations

import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from runtime.followed import update_all
from runtime.onnxruntime import locator
from runtime.open_engines import open_locators
from runtime.together import Asked, Beside, OneOfBatch, locate_all
from runtime.track import track
from runtime.tracker import Tracker
from siamtrt import BoundingBox, GraphPrecisions, InferenceError, ModelCard, UsageError
from siamtrt.geometry import Square
from tests import tiny
from tests.built import build
from tests.doubles.clip import BOXES, FILL, clip, follow, picture
from tests.runtime.stub import card

ASKED = Asked(Square(60, 60, 160, 255), FILL, (60, 60))
BACKENDS = ["onnxruntime", "tensorrt"]


@pytest.fixture
def engines(board, tmp_path):
    """Engines for so many targets, and those for one of the same model."""

    def made(backend, targets=2, precision="fp32", **model):
        onnx = tmp_path / "onnx"
        tiny.write_tiny_model(onnx, kernel_inputs=True, **model)
        double = board(onnx=onnx)
        for count in (1, targets):
            out = tmp_path / f"engines{count}"
            build(onnx, out, backend, GraphPrecisions.parse(precision), "make engines", targets=count)
        return double, tmp_path / "engines1", tmp_path / f"engines{targets}"

    return made


def alone(folder, frames, **options):
    return [follow(open_locators(folder, **options)[0], frames, box) for box in BOXES]


def together(folder, frames, **options):
    trackers = [Tracker(locator) for locator in open_locators(folder, len(BOXES), **options)]
    for tracker, box in zip(trackers, BOXES):
        tracker.start(frames[0], box)
    states = [update_all(trackers, frame) for frame in frames[1:]]
    for tracker in trackers:
        tracker.close()
    return [list(of_one) for of_one in zip(*states)]


def rows(runs):
    return [[(s.box.x, s.box.y, s.box.width, s.box.height, s.score) for s in states] for states in runs]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_three_targets_by_twos_are_followed_as_one_by_one(engines, backend, precision):
    double, single, wide = engines(backend, precision=precision)
    frames = clip(picture())
    expected, found = (rows(run(folder, frames)) for run, folder in ((alone, single), (together, wide)))
    # A runtime may round to float16 at other places around the reshapes.
    np.testing.assert_allclose(found, expected, atol=1e-3 if precision == "fp32" else 0.05)
    assert not np.allclose(expected[0], expected[1], atol=10)
    assert double.cudart.memory == {}


@pytest.mark.parametrize("decode", ["host", "device"])
def test_wherever_the_boxes_are_chosen(engines, decode):
    _, single, wide = engines("tensorrt", targets=3)
    frames = clip(picture())
    np.testing.assert_allclose(
        rows(together(wide, frames, decode=decode)), rows(alone(single, frames, decode=decode)), atol=1e-3
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_lost_targets_are_searched_in_a_run_of_their_own(engines, backend):
    _, single, wide = engines(backend, targets=3, lost=True)
    frames = clip(picture(), 12)
    expected, found = alone(single, frames), together(wide, frames)
    np.testing.assert_allclose(rows(found), rows(expected), atol=1e-3)
    at_once = [{states[index].lost for states in found} for index in range(len(frames) - 1)]
    assert {True, False} in at_once


def test_a_frame_is_uploaded_once_and_waited_for_once(engines):
    double, _, wide = engines("tensorrt", targets=3)
    double.cudart.attributes[18] = 0  # memory of its own
    frames = clip(picture())
    trackers = [Tracker(locator) for locator in open_locators(wide, 3)]
    for tracker, box in zip(trackers, BOXES):
        tracker.start(frames[0], box)
    double.cudart.forget_calls()
    update_all(trackers, frames[1])
    assert double.cudart.calls == ["cudaGraphLaunch", "cudaStreamSynchronize"]
    assert double.cudart.copied == {1: frames[0].nbytes, 2: 3 * 28, 3: 0}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_batch_that_is_not_full_serves_those_there_are(engines, backend):
    double, single, wide = engines(backend, targets=4)
    frames = clip(picture())
    (locator,) = open_locators(wide)
    assert isinstance(locator, OneOfBatch)
    found = follow(locator, frames, BOXES[0])
    np.testing.assert_allclose(rows([found]), rows(alone(single, frames)[:1]), atol=1e-3)
    assert double.cudart.memory == {}


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_place_is_remembered_for_itself(engines, backend):
    _, _, wide = engines(backend)
    first, second = open_locators(wide, 2)
    first.remember(picture(), Square(60, 60, 80, 127), FILL)
    with pytest.raises(InferenceError, match="no target was remembered"):
        second.locate(picture(), Square(60, 60, 160, 255), FILL, (60, 60))
    first.close()
    first.close()
    with pytest.raises(InferenceError, match="no target was remembered"):
        first.locate(picture(), Square(60, 60, 160, 255), FILL, (60, 60))
    second.close()


def test_targets_opened_together_run_beside_each_other_with_the_same_boxes(tiny_engines):
    frames = clip(picture())
    for threads in (2, 3, 8):
        np.testing.assert_array_equal(
            rows(together(tiny_engines, frames, threads=threads)), rows(alone(tiny_engines, frames, threads=1))
        )


class Meeting:
    """A locator that answers once so many others are at work too."""

    card = None

    def __init__(self, barrier, answer):
        self._barrier, self._answer, self.done = barrier, answer, False

    def locate(self, *_):
        self._barrier.wait(timeout=10)
        if isinstance(self._answer, Exception):
            raise self._answer
        time.sleep(0.05)
        self.done = True
        return self._answer


def test_they_run_at_one_time_and_answer_in_their_order():
    barrier, pool = threading.Barrier(3), ThreadPoolExecutor(3)
    asked = [(Beside(Meeting(barrier, number), pool), ASKED) for number in range(3)]
    assert locate_all(picture(), asked) == [0, 1, 2]


def test_no_target_runs_on_where_another_failed():
    barrier, pool = threading.Barrier(2), ThreadPoolExecutor(2)
    locators = [Meeting(barrier, InferenceError("it broke")), Meeting(barrier, 1)]
    with pytest.raises(InferenceError, match="it broke"):
        locate_all(picture(), [(Beside(locator, pool), ASKED) for locator in locators])
    assert locators[1].done


@pytest.mark.parametrize(
    ("threads", "count", "each", "at_a_time"),
    [(2, 4, 1, 2), (8, 2, 4, 2), (8, 3, 2, 3), (1, 4, 1, None), (4, 1, 4, None)],
)
def test_no_more_threads_run_than_were_allowed(tiny_engines, monkeypatch, threads, count, each, at_a_time):
    given, pools = [], []
    monkeypatch.setattr(
        locator, "OnnxMatcher", lambda *_, threads: given.append(threads) or SimpleNamespace(card=card())
    )
    monkeypatch.setattr(locator, "ThreadPoolExecutor", lambda workers, _: pools.append(workers))
    open_locators(tiny_engines, count, threads=threads)
    assert given == [each] * count
    assert pools == ([at_a_time] if at_a_time else [])


def test_the_threads_end_with_the_last_target(tiny_engines):
    before = threading.active_count()
    together(tiny_engines, clip(picture(), 3), threads=2)
    gc.collect()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before  # an earlier test's may end meanwhile


def test_engines_of_another_batch_have_no_further_place(engines):
    _, _, wide = engines("tensorrt")
    first, _ = open_locators(wide, 2)
    with pytest.raises(UsageError, match="follow 2 targets"):
        first.batch.take()


def test_kernels_that_are_weights_serve_one_target(tiny_onnx, tmp_path):
    with pytest.raises(UsageError, match=r"(?s)follow one target each.*--kernel-inputs"):
        build(tiny_onnx, tmp_path / "out", "onnxruntime", GraphPrecisions.parse("fp32"), "", targets=2)


def test_the_card_says_for_how_many(engines):
    _, single, wide = engines("onnxruntime", targets=3)
    one, three = ModelCard.load(single), ModelCard.load(wide)
    assert (one.targets, three.targets) == (1, 3)
    assert three.graph("target") == one.graph("target")
    assert three.kernels == one.kernels
    assert [spec.shape[0] for spec in three.graph("xcorr").outputs] == [3, 3]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_command_follows_them_in_one_run(engines, backend, tmp_path):
    _, single, wide = engines(backend)
    frames = clip(picture())
    source = SimpleNamespace(frames=lambda: iter(frames), fps=25, count=len(frames))
    boxes = [BoundingBox(box.x, box.y, box.width, box.height) for box in BOXES]
    texts = []
    for folder, out in ((single, "one"), (wide, "two")):
        track(folder, source, boxes, tmp_path / out)
        files = [tmp_path / out / f"target{number}" / "boxes.txt" for number in range(1, len(boxes) + 1)]
        texts.append([[line.split(",") for line in file.read_text().split()] for file in files])
    np.testing.assert_allclose(*(np.array(text, float) for text in texts), atol=2e-3)
