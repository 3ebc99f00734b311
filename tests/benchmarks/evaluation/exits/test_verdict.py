from __future__ import annotations

import pytest

from benchmarks.evaluation.exits.verdict import chance_row, verdict


def row(cost, low, overlap=0.6):
    return {"cost": cost, "overlap": overlap, "hull_gain_interval": [low, low + 0.1]}


def loop(*points):
    return {"tuned": {"keep": {"points": {str(index): point for index, point in enumerate(points)}}}}


GOOD = {"a": row(0.44, 0.01), "b": row(0.62, 0.02)}


def test_two_costs_in_both_loops_make_a_claim():
    said = verdict(GOOD, loop(*GOOD.values()), 11)
    assert said.helps
    assert said.closed_loop == said.open_loop == [0.45, 0.6]
    assert said.words.startswith("looking at frames helps")


@pytest.mark.parametrize(
    ("rows", "opened"),
    [
        ({"a": row(0.44, 0.01), "b": row(0.46, 0.02)}, list(GOOD.values())),  # one cost, twice
        ({"a": row(0.44, 0.01), "b": row(0.62, 0.0)}, list(GOOD.values())),
        (GOOD, [row(0.44, 0.01), row(0.62, -0.01)]),
        (GOOD, []),
    ],
)
def test_anything_less_does_not(rows, opened):
    said = verdict(rows, loop(*opened), 11)
    assert not said.helps
    assert said.words.startswith("it is not shown")


def test_an_interval_over_few_videos_is_none():
    assert not verdict(GOOD, loop(*GOOD.values()), 4).helps
    assert verdict(GOOD, loop(*GOOD.values()), 5).helps


def test_without_a_table_nothing_is_claimed():
    assert not verdict(GOOD, None, 11).helps


def test_random_rows_and_fixed_ones_claim_nothing():
    fixed = {"cost": 0.4, "overlap": 0.5, "hull_gain_interval": None}
    rows = {"fixed:1": fixed, "random 0.5,0.5 #0": row(0.44, 0.01), "random 0.5,0.5 #1": row(0.62, 0.01)}
    assert verdict(rows, loop(*GOOD.values()), 11).closed_loop == []


@pytest.mark.parametrize(("overlap", "shown"), [(0.63, True), (0.61, False)])
def test_a_gain_below_twice_the_deviation_of_chance_is_none(overlap, shown):
    chance = {chance_row("a", seed): row(0.44, -0.01, overlap=0.59 + 0.02 * seed) for seed in range(2)}
    said = verdict({**GOOD, "a": row(0.44, 0.01, overlap), **chance}, loop(*GOOD.values()), 11)
    assert said.over_chance["a"].deviation == pytest.approx(0.01 * 2**0.5)
    assert said.over_chance["a"].is_shown is said.helps is shown
