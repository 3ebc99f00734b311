"""A landscape whose best network is known: the sum of a value for each choice, under a limit of multiply-accumulates.

The optima were computed by mixed-integer linear programming over the 72 cases of output and widths.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

pytest.importorskip("pymoo", reason="searching needs requirements/architectures.txt")

from architectures.cost import parts, total
from architectures.strategies import Choices, draw_at_random, evolve
from networks.lighttrack.space import WholeSpace
from siamtrt import UsageError

OPTIMUM = 23.1137395100  # of table 7
BEST = (1, 1, 3, 5, 0, 4, 1, 2, 1, 4, 0, 1, 2, 1, 7, 1, 0, 2, 2, 0, 0, 1, 2, 0, 0, 0, 2, 1, 0, 1, 1, 0, 1)
LIMIT = 450e6
SPACE = WholeSpace()


@functools.cache
def macs(genes):
    architecture = SPACE.architecture(genes)
    return total(architecture).macs - parts(architecture)["correlation"].macs


def depth(genes):
    """Blocks that exist."""
    return (6, 10)[genes[14] // 4] + genes[14] % 4 + 1


class Landscape:
    def __init__(self, seed=7):
        rng = np.random.default_rng(seed)
        self.blocks, self.outputs = rng.normal(size=(14, 6)), rng.normal(size=8)
        self.widths, self.kernels = rng.normal(size=(2, 3)), rng.normal(size=(2, 8, 3))
        self.seen = []

    def score(self, genes):
        value = self.outputs[genes[14]] + sum(self.blocks[i, genes[i]] for i in range(depth(genes)))
        for branch in (0, 1):
            width, *kernels = genes[15 + 9 * branch : 24 + 9 * branch]
            value += self.widths[branch, width] + sum(self.kernels[branch, i, k] for i, k in enumerate(kernels))
        return float(value)

    def judge(self, asked):
        self.seen += asked
        return [[-self.score(genes)] for genes in asked]

    def judge_both(self, asked):
        self.seen += asked
        return [[-self.score(genes), macs(genes) / 1e6] for genes in asked]


CHOICES = Choices(
    SPACE.sizes, key=lambda genes: genes[: depth(genes)] + genes[14:], allowed=lambda genes: macs(genes) <= LIMIT
)


def evolved(seed, landscape=None):
    landscape = landscape or Landscape()
    evolve(CHOICES, landscape.judge, aims=1, population=25, generations=40, seed=seed)
    return landscape


def test_the_landscape_is_the_one_whose_optimum_is_known():
    assert Landscape().score(BEST) == pytest.approx(OPTIMUM, abs=1e-9)
    assert macs(BEST) == 425_589_504


def test_evolution_comes_near_the_optimum_and_chance_does_not():
    bred = evolved(0)
    drawn = Landscape()
    draw_at_random(CHOICES, drawn.judge, count=1000, batch=50, seed=0)
    assert len(bred.seen) == len(drawn.seen) == 1000
    assert max(map(bred.score, bred.seen)) > 0.85 * OPTIMUM
    assert max(map(drawn.score, drawn.seen)) < 0.4 * OPTIMUM


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
