"""A model with exits on the doubles: a plan a stage, a captured graph a stage and for each run of first stages."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.cascade import CascadeLocator
from runtime.open_engines import open_locators
from runtime.policies.parse import parse
from runtime.tensorrt.chain import Chain, ChainOptions
from runtime.tensorrt.matcher import StagedTensorrtMatcher
from runtime.tracker import Tracker
from siamtrt import GraphPrecisions, InferenceError, ParityError
from siamtrt.libraries import cuda
from tests.built import build
from tests.doubles.clip import BOXES, FILL, as_rows, clip, picture, read
from tests.doubles.counted import Counted
from tests.runtime.tensorrt.test_matcher import SEARCH, TEMPLATE
from tests.tiny_cascade import write_tiny_cascade

FRAMES = 8


@pytest.fixture(params=[False, True], ids=["refitted", "kernel inputs"])
def cascade(request, board, tmp_path):
    """A board with plans of the tiny cascade."""
    write_tiny_cascade(tmp_path / "onnx", kernel_inputs=request.param)
    double = board(onnx=tmp_path / "onnx")
    double.build()
    return double


@pytest.fixture
def on_cpu(cascade, tmp_path):
    build(cascade.onnx, tmp_path / "cpu", "onnxruntime", GraphPrecisions.parse("fp32"), "make engines")
    return tmp_path / "cpu"


def follow(engines, policy, decode=None):
    (locator,) = open_locators(engines, policy=policy, decode=decode)
    with Tracker(locator) as tracker:
        video = clip(picture(), FRAMES)
        tracker.start(video[0], BOXES[0])
        return [tracker.update(frame) for frame in video[1:]]


def exits(states):
    return [state.exit.number for state in states]


def staged(board, policy="fixed:3", **options):
    engines, card, manifest = read(board.out)
    matcher = StagedTensorrtMatcher(Chain(engines, card, manifest, ChainOptions(**options)))
    return CascadeLocator(matcher, parse(policy, card, manifest.files).policy)


@pytest.mark.parametrize("decode", ["device", "host"])
@pytest.mark.parametrize("policy", ["random:4:0.4,0.3,0.3", "threshold:0.55"])
def test_boxes_and_exits_are_those_of_onnx_runtime(cascade, on_cpu, policy, decode):
    expected, found = follow(on_cpu, policy), follow(cascade.out, policy, decode)
    np.testing.assert_allclose(as_rows(found), as_rows(expected), atol=1e-3)
    assert exits(found) == exits(expected)
    for one, other in zip(found, expected):
        assert len(one.exit.scores) == one.exit.number
        for mine, wanted in zip(one.exit.scores, other.exit.scores):
            assert mine == pytest.approx(wanted, abs=1e-5)


def test_without_a_policy_all_stages_run(cascade, on_cpu):
    np.testing.assert_allclose(as_rows(follow(cascade.out, None)), as_rows(follow(on_cpu, "fixed:3")), atol=1e-3)
    np.testing.assert_allclose(as_rows(follow(cascade.out, None, "host")), as_rows(follow(on_cpu, None)), atol=1e-3)


@pytest.mark.parametrize(
    ("policy", "launches"), [("fixed:1", 1), ("fixed:3", 1), ("threshold:1", 3), ("threshold:0", 1)]
)
def test_first_stages_are_one_launch_and_one_wait_and_later_ones_one_each(cascade, monkeypatch, policy, launches):
    counted = Counted(cascade.cudart)
    monkeypatch.setattr(cuda, "load", lambda: counted)
    locator = staged(cascade, policy)
    locator.remember(picture(), TEMPLATE, FILL)
    locator.locate(picture(), SEARCH, FILL, (60, 60))
    counted.forget()
    locator.locate(picture(), SEARCH, FILL, (60, 60))
    assert counted.calls["cudaGraphLaunch"] == launches
    assert counted.calls["cudaStreamSynchronize"] == launches
    locator.close()


def test_each_stage_and_each_run_of_first_stages_is_captured_and_freed(cascade, monkeypatch):
    counted = Counted(cascade.cudart)
    monkeypatch.setattr(cuda, "load", lambda: counted)
    locator = staged(cascade)
    locator.remember(picture(), TEMPLATE, FILL)
    assert counted.calls["cudaGraphInstantiateWithFlags"] == 6
    locator.close()
    assert counted.calls["cudaGraphExecDestroy"] == counted.calls["cudaGraphInstantiateWithFlags"]


@pytest.mark.parametrize("settings", [{"graphs": False}, {"mapped": False}])
def test_neither_capture_nor_the_kind_of_memory_changes_an_answer(cascade, settings):
    answers = []
    for options in ({}, settings):
        locator = staged(cascade, "threshold:1", **options)
        locator.remember(picture(), TEMPLATE, FILL)
        located = locator.locate(picture(), SEARCH, FILL, (60, 60))
        answers.append((located.candidate, located.exit.scores))
        locator.close()
    assert answers[0] == answers[1]


def test_another_target_changes_every_exit(cascade):
    boxes = []
    for policy in ("fixed:1", "fixed:2", "fixed:3"):
        locator = staged(cascade, policy)
        for _ in range(2):
            locator.remember(picture(), TEMPLATE, FILL)
            boxes.append(locator.locate(picture(), SEARCH, FILL, (60, 60)).candidate)
        locator.close()
    assert boxes[0] == boxes[1]
    assert len(set(boxes)) == 3


def test_a_stage_whose_refit_took_no_effect_is_found(board, tmp_path, monkeypatch):
    """Stale kernels in the second stage alone."""
    write_tiny_cascade(tmp_path / "onnx")
    double = board(onnx=tmp_path / "onnx")
    double.build()
    locator = staged(double)
    stage = locator._matcher._chain._stages[255]._stages[1]
    monkeypatch.setattr(stage._xcorr, "refit", lambda kernels, names: None)
    with pytest.raises(ParityError, match=r"after the refit xcorr_2\."):
        locator.remember(picture(), TEMPLATE, FILL)
    locator.close()


def test_no_frame_is_advanced_before_it_is_begun(cascade):
    locator = staged(cascade)
    with pytest.raises(InferenceError, match="no target was remembered"):
        locator.locate(picture(), SEARCH, FILL, (60, 60))
    with pytest.raises(InferenceError, match="call begin first"):
        locator._matcher.advance(1)
    locator.close()


def test_scores_stay_in_float32_where_a_plan_is_in_half_precision(board, tmp_path):
    write_tiny_cascade(tmp_path / "onnx")
    double = board(onnx=tmp_path / "onnx")
    double.build("fp16")
    found = follow(double.out, "threshold:1")
    assert exits(found) == [3] * (FRAMES - 1)
    assert all(0 <= value <= 1 for state in found for scores in state.exit.scores for value in scores.values())
