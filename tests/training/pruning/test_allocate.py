"""Channels go where they matter least for what they cost, in blocks, down to a floor."""

from __future__ import annotations

import pytest

from siamtrt import UsageError
from training.pruning.allocate import Budget, allocate
from training.pruning.groups import Group, Member

A = Group("a", 40, (Member("a", False, tuple(range(40))), Member("b", True, tuple(range(40)))))
B = Group("b", 64, (Member("b", False, tuple(range(64))), Member("c", True, tuple(range(64)))))
WIDTHS = {"a": (3, 40), "b": (40, 64), "c": (64, 8)}


def product(widths):
    return sum(inputs * outputs for inputs, outputs in widths.values())


def chosen(limit, scores, multiple=16, **more):
    return allocate([A, B], scores, WIDTHS, Budget(product, limit, "products"), multiple, **more)


def even(value):
    return {"a": [value] * 40, "b": [1.0] * 64}


def test_the_cheap_to_lose_go_first_and_the_widths_are_multiples():
    scores = {"a": [float(channel) for channel in range(40)], "b": [100.0] * 64}
    kept = chosen(0.84 * product(WIDTHS), scores)
    assert kept["a"] == tuple(range(8, 40))  # 40 is no multiple: the first step goes to 32, without the least eight
    assert kept["b"] == tuple(range(64))


def test_a_step_is_worth_what_it_saves():
    dear, cheap = even(3.0), even(0.01)
    assert len(chosen(0.8 * product(WIDTHS), dear)["a"]) == 40
    assert len(chosen(0.8 * product(WIDTHS), cheap)["b"]) == 64


def test_the_cost_is_that_of_the_widths_of_both_sides():
    kept = chosen(0.4 * product(WIDTHS), even(1.0))
    a, b = len(kept["a"]), len(kept["b"])
    assert 3 * a + a * b + 8 * b <= 0.4 * product(WIDTHS)
    assert a % 16 == 0
    assert b % 16 == 0


def test_no_group_falls_below_its_floor_and_an_impossible_budget_says_so():
    with pytest.raises(UsageError, match="at their floors"):
        chosen(0.01 * product(WIDTHS), even(1.0))
    with pytest.raises(UsageError, match="at their floors"):
        chosen(0.5 * product(WIDTHS), even(1.0), floors={"a": 40, "b": 64})


def test_a_group_without_scores_stays_whole():
    assert len(chosen(0.5 * product(WIDTHS), {"b": [1.0] * 64})["a"]) == 40
