from __future__ import annotations

import numpy as np
import pytest

from siamtrt.card import TrackerConstants
from siamtrt.geometry import point_grid
from tests.runtime.stub import card, maps_with_score, with_window


def test_the_best_anchor_is_found_where_it_is():
    decoder = with_window(card(), 0.0)
    cls, loc = maps_with_score(25, 0.9)
    found = decoder.best(cls, loc, 64, 64)
    assert (found.x, found.y, found.width, found.height) == (0, 0, 64, 64)
    assert found.score == pytest.approx(0.9, abs=1e-6)
    assert found.penalty == pytest.approx(1)


def test_offsets_move_and_scale_the_anchor():
    cls, loc = maps_with_score(25, 0.9)
    loc[[2, 7, 12, 17], 12, 12] = (0.5, -0.25, np.log(2), np.log(0.5))
    found = with_window(card(), 0.0).best(cls, loc, 128, 32)
    assert (found.x, found.y) == pytest.approx((32, -16))
    assert (found.width, found.height) == pytest.approx((128, 32), rel=1e-6)
    assert found.penalty == pytest.approx(1, abs=1e-6)


def test_a_changed_shape_costs_what_the_paper_says():
    cls, loc = maps_with_score(25, 0.9)
    found = with_window(card(), 0.0).best(cls, loc, 128, 32)
    margin = 80
    size = np.sqrt((128 + margin) * (32 + margin)) / 128
    assert found.penalty == pytest.approx(np.exp(-(4 * max(size, 1 / size) - 1) * 0.05), rel=1e-6)


def test_the_window_prefers_the_middle():
    cls, loc = maps_with_score(25, 0.6)
    cls[7, 2, 2] = 3
    assert with_window(card(), 0.0).best(cls, loc, 64, 64).x == (2 - 12) * 8
    assert with_window(card(), 0.9).best(cls, loc, 64, 64).x == 0


def test_points_and_distances_become_a_box():
    model = card(
        family="ban",
        stride=16,
        score_size=15,
        anchor_ratios=(),
        anchor_scales=(),
        tracker=TrackerConstants(0.1, 0.0, 0.3, "t"),
    )
    cls = np.zeros((2, 15, 15), np.float32)
    cls[1] = -9
    cls[1, 7, 8] = 4
    loc = np.zeros((4, 15, 15), np.float32)
    loc[:, 7, 8] = (10, 20, 30, 40)
    found = with_window(model, 0.0).best(cls, loc, 40, 60)
    assert (found.x, found.y, found.width, found.height) == (16 + 10, 10, 40, 60)
    assert found.score == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-6)
    assert point_grid(16, 15)[:, 0].tolist() == [-112, -112]


def test_an_overflowing_size_is_never_chosen():
    cls, loc = maps_with_score(25, 0.6)
    loc[[12, 17], 12, 12] = 1000
    found = with_window(card(), 0.0).best(cls, loc, 64, 64)
    assert np.isfinite([found.x, found.y, found.width, found.height, found.score, found.penalty]).all()
