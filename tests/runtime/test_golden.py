"""The tracker against PySOT's own outputs: tests/golden/pysot/PROVENANCE.md."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from siamtrt import BoundingBox
from siamtrt.card import TrackerConstants
from siamtrt.geometry import Place, anchor_grid, context_side, search_square, template_square
from tests.runtime.stub import StubMatcher, card, tracker_of

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/pysot/tracker.json").read_text())


@pytest.fixture(scope="module")
def frame():
    y, x, c = np.mgrid[0:240, 0:320, 0:3]
    return ((3 * x + 5 * y + 40 * c) % 256).astype(np.uint8)


@pytest.fixture(params=GOLDEN["cases"], ids=lambda case: case["name"])
def run(request, frame):
    case = request.param
    constants = TrackerConstants(case["penalty_k"], case["window_influence"], case["lr"], source="golden")
    matcher = StubMatcher(card(search_px=case["search_px"], score_size=case["score_size"], tracker=constants))
    tracker = tracker_of(matcher)
    tracker.start(frame, BoundingBox(*case["init"]))
    return case, matcher, [tracker.update(frame) for _ in case["boxes"]]


def test_boxes_equal_pysots(run):
    case, _, states = run
    boxes = [[state.box.x, state.box.y, state.box.width, state.box.height] for state in states]
    np.testing.assert_allclose(boxes, case["boxes"], rtol=0, atol=GOLDEN["tolerance_px"])
    np.testing.assert_allclose([state.score for state in states], case["score"], rtol=0, atol=1e-5)


def test_crops_equal_pysots(run):
    case, matcher, _ = run
    assert [square.side_px for square in matcher.squares] == case["sides"]
    means = [patch.reshape(-1, 3).mean(axis=0) for patch in matcher.patches]
    np.testing.assert_allclose(means, case["crop_means"], rtol=0, atol=GOLDEN["tolerance_mean"])
    template = matcher.template
    np.testing.assert_allclose(
        template.reshape(-1, 3).mean(axis=0), case["template_mean"], rtol=0, atol=GOLDEN["tolerance_mean"]
    )
    if case["template_sum"]:
        assert int(template.sum()) == pytest.approx(case["template_sum"], abs=500)


def test_the_fill_is_truncated_not_rounded(run, frame):
    case, matcher, _ = run
    if case["init"][0] == 5:
        assert matcher.template[0, 0].tolist() == [127, 127, 127]  # the mean is 127.73, 127.76, 127.46


def test_anchors_equal_pysots():
    grid = anchor_grid(8, (0.33, 0.5, 1.0, 2.0, 3.0), (8.0,), 25)
    assert grid.shape == (4, 5 * 625)
    sizes = [tuple(grid[2:, index * 625].astype(int)) for index in range(5)]
    assert sizes == [(104, 32), (88, 40), (64, 64), (40, 80), (32, 96)]
    assert grid[:2, 0].tolist() == [-96, -96]
    assert grid[:2, 1].tolist() == [-88, -96]
    assert grid[:2, 624].tolist() == [96, 96]


def test_sides_are_rounded_half_to_even():
    model = card()
    assert template_square(Place(0, 0, 60, 40), model).side_px == 99
    assert context_side(60, 40, 0.5) == pytest.approx(99.498744, abs=1e-6)
    assert template_square(Place(0, 0, 2.25, 2.25), model).side_px == 4  # 4.5
    assert search_square(Place(0, 0, 60, 40), model, model.search).side_px == 200
    assert search_square(Place(0, 0, 0.01, 0.01), model, model.search).side_px == 1
