"""Evolution and chance on landscapes whose best network is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("pymoo", reason="searching needs requirements/architectures.txt")

from architectures.cost import parts, total
from architectures.strategies import Choices, draw_at_random, evolve
from siamtrt import UsageError
from tests.architectures.landscape import CHOICES, LIMIT, SPACE, Landscape, macs

OPTIMUM = 23.1137395100  # of table 7
BEST = (1, 1, 3, 5, 0, 4, 1, 2, 1, 4, 0, 1, 2, 1, 7, 1, 0, 2, 2, 0, 0, 1, 2, 0, 0, 0, 2, 1, 0, 1, 1, 0, 1)


def evolved(seed, landscape=None):
    landscape = landscape or Landscape()
    evolve(CHOICES, landscape.judge, aims=1, population=25, generations=40, seed=seed)
    return landscape


def test_the_landscape_is_the_one_whose_optimum_is_known():
    assert Landscape().score(BEST) == pytest.approx(OPTIMUM, abs=1e-9)
    assert Landscape().optimum() == pytest.approx(OPTIMUM, abs=1e-9)
    assert macs(BEST) == 425_589_504


def test_the_landscape_counts_the_work_of_the_networks():
    rng = np.random.default_rng(0)
    for _ in range(20):
        genes = tuple(map(int, rng.integers(0, SPACE.sizes)))
        architecture = SPACE.architecture(genes)
        assert macs(genes) == total(architecture).macs - parts(architecture)["correlation"].macs


@pytest.mark.slow
@pytest.mark.parametrize("table", [1, 2, 3, 4, 5])
def test_evolution_comes_near_the_optimum_and_chance_does_not(table):
    """1 is the optimum, 0 the mean of networks drawn at random; both judge 1,000 networks."""
    drawn, optimum = Landscape(table), Landscape(table).optimum()
    draw_at_random(CHOICES, drawn.judge, count=1000, batch=1000, seed=99)
    mean = np.mean([drawn.score(genes) for genes in drawn.seen])
    bred, by_chance = [], []
    for seed in range(10):
        landscape, other = evolved(seed, Landscape(table)), Landscape(table)
        draw_at_random(CHOICES, other.judge, count=1000, batch=50, seed=seed)
        assert len(landscape.seen) == len(other.seen) == 1000
        bred.append((landscape.best() - mean) / (optimum - mean))
        by_chance.append((other.best() - mean) / (optimum - mean))
    assert sum(reached >= 0.8 for reached in bred) >= 9
    assert max(by_chance) <= 0.6


def test_no_network_is_judged_twice_and_none_breaks_the_limit():
    seen = evolved(1).seen
    assert len({CHOICES.key(genes) for genes in seen}) == len(seen)
    assert max(map(macs, seen)) <= LIMIT


def test_a_seed_repeats_a_search_and_another_does_not():
    one, other = Landscape(), Landscape()
    for landscape in (one, other):
        evolve(CHOICES, landscape.judge, aims=1, population=10, generations=4, seed=3)
    assert one.seen == other.seen
    third = Landscape()
    evolve(CHOICES, third.judge, aims=1, population=10, generations=4, seed=4)
    assert third.seen != one.seen


def hypervolume(landscape):
    """Of (-score, MACs in M) below (10, 700)."""
    points = sorted((macs(genes) / 1e6, -landscape.score(genes)) for genes in landscape.seen)
    area, lowest = 0.0, 10.0
    for price, loss in points:
        if loss < lowest and price < 700:
            area += (700 - price) * (lowest - loss)
            lowest = loss
    return area


def test_a_front_covers_more_than_chance_does():
    anything = Choices(SPACE.sizes, CHOICES.key, allowed=lambda _: True)
    bred, drawn = Landscape(), Landscape()
    evolve(anything, bred.judge_both, aims=2, population=50, generations=20, seed=0)
    draw_at_random(anything, drawn.judge_both, count=1000, batch=50, seed=0)
    assert hypervolume(bred) > 11_000
    assert hypervolume(drawn) < 7_700


def everything(sizes):
    return sorted(itertools.product(*map(range, sizes)))


@pytest.mark.parametrize("sizes", [(2, 3), (2, 3, 3)])
@pytest.mark.parametrize("seed", range(10))
def test_a_small_space_is_searched_until_it_is_exhausted_whatever_the_seed(sizes, seed, caplog):
    asked = []

    def judge(batch):
        asked.extend(batch)
        return [[sum(genes)] for genes in batch]

    choices = Choices(sizes, key=lambda genes: genes, allowed=lambda _: True)
    evolve(choices, judge, aims=1, population=4, generations=9, seed=seed)
    assert sorted(asked) == everything(sizes)
    assert f"exhausted: {len(asked)} different networks keep the limits, 36 were to be judged" in caplog.text


@pytest.mark.parametrize("aims", [1, 2])
def test_no_generation_is_short_while_the_space_has_networks_left(aims, caplog):
    batches = []

    def judge(batch):
        batches.append(len(batch))
        return [[sum(genes), -genes[0]][:aims] for genes in batch]

    choices = Choices((3, 4, 5), key=lambda genes: genes, allowed=lambda genes: genes != (0, 0, 0))
    evolve(choices, judge, aims=aims, population=10, generations=5, seed=0)
    assert batches == [10] * 5
    assert not caplog.text


def test_chance_alone_says_where_the_space_is_exhausted(caplog):
    asked = []
    choices = Choices((2, 3), key=lambda genes: genes, allowed=lambda _: True)
    draw_at_random(choices, asked.extend, count=20, batch=3, seed=0)
    assert sorted(asked) == everything((2, 3))
    assert "6 different networks keep the limits, 20 were to be judged" in caplog.text


def test_limits_that_nothing_keeps_are_an_error():
    with pytest.raises(UsageError, match="keeps the limits"):
        draw_at_random(Choices((2,), hash, allowed=lambda _: False), lambda _: [], count=1, batch=1, seed=0)
