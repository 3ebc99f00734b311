"""The golden values were computed once with numpy in float64, from the formulas alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.evaluation.exits.measures import (
    exits_at,
    hull,
    hull_value,
    interval,
    oracle,
    rank_auc,
    taken_of,
)
from runtime.policies.plain import Threshold
from tests.benchmarks.evaluation.exits.made import MACS

SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.4, 0.3])
KEEP = np.array([1, 1, 0, 1, 0, 0], bool)


def test_the_hull_is_what_a_coin_between_fixed_exits_buys():
    points = [(0.2, 0.5), (0.5, 0.55), (1.0, 0.7)]
    assert hull(points) == [(0.2, 0.5), (1.0, 0.7)]  # the middle one lies below the line
    assert hull_value(points, 0.6) == pytest.approx(0.6)
    assert hull_value([(0.2, 0.5), (0.5, 0.66), (1.0, 0.7)], 0.35) == pytest.approx(0.58)
    assert hull_value(points, 0.1) == 0.5


def test_an_exit_that_costs_more_and_is_worth_less_is_not_on_the_hull():
    assert hull([(0.4, 0.6), (0.7, 0.65), (1.0, 0.62)]) == [(0.4, 0.6), (0.7, 0.65)]
    assert hull_value([(0.4, 0.6), (0.7, 0.65), (1.0, 0.62)], 1.0) == 0.65


def test_the_rank_of_scores():
    assert rank_auc(SCORES, KEEP) == pytest.approx(0.888889, abs=1e-6)
    assert rank_auc(np.full(6, 0.5), KEEP) == 0.5
    assert rank_auc(SCORES, np.ones(6, bool)) is None


def test_the_exits_of_a_table_are_those_of_the_running_rule():
    rng = np.random.default_rng(0)
    scores = rng.random((200, 2))
    scores[3] = math.nan
    scores[4] = 1.0
    for thetas in ([0.0, 0.5], [0.6, 0.3], [1.0, 0.4], [1.0, 1.0], [0.5, 0.0]):
        policy, expected = Threshold("peak", thetas), []
        for row in scores:
            policy.start_depth()
            halts = [policy.halts(number, {"peak": value}, 0) for number, value in enumerate(row, start=1)]
            expected.append(halts.index(True) + 1 if True in halts else 3)
        assert exits_at(scores, thetas).tolist() == expected


def test_the_oracle_pays_for_depth():
    shares = np.cumsum(MACS) / sum(MACS)
    overlaps = np.array([[0.6, 0.66, 0.7], [0.7, 0.7, 0.7], [0.1, 0.2, 0.9]])
    assert oracle(overlaps, shares, 0.0).tolist() == [3, 1, 3]
    assert oracle(overlaps, shares, 0.2).tolist() == [2, 1, 3]
    assert oracle(overlaps, shares, 5.0).tolist() == [1, 1, 1]
    np.testing.assert_allclose(taken_of(overlaps, np.array([3, 1, 2])), [0.7, 0.7, 0.2])


def test_no_choice_of_exits_beats_the_oracle_without_a_price():
    rng = np.random.default_rng(1)
    overlaps = rng.random((300, 3))
    best = taken_of(overlaps, oracle(overlaps, [0.2, 0.5, 1.0], 0.0)).mean()
    for _ in range(20):
        assert taken_of(overlaps, rng.integers(1, 4, 300)).mean() <= best


def test_the_interval_covers_the_mean_and_repeats():
    values = {str(index): value for index, value in enumerate(np.linspace(0, 1, 11))}

    def mean(names):
        return float(np.mean([values[name] for name in names]))

    low, high = interval(list(values), mean, 0.95)
    assert low < 0.5 < high
    assert (low, high) == interval(list(values), mean, 0.95)
    assert interval(["3"], mean, 0.95) == (pytest.approx(0.3), pytest.approx(0.3))
