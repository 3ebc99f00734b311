from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from networks.lighttrack.architecture import MOBILE, parse
from networks.lighttrack.space import ElasticSpace, WholeSpace

PUBLISHED = parse(MOBILE)
SPACES = {"whole": WholeSpace(), "elastic": ElasticSpace(PUBLISHED)}


def members(space):
    """How many different networks there are: stages before the last, the last one, and the towers are independent."""
    *before, last = map(len, PUBLISHED.stages)
    lengths = (sum(before), last + 1, 1 + len(PUBLISHED.cls.kernels), 1 + len(PUBLISHED.reg.kernels))
    starts = [0, *itertools.accumulate(lengths)]
    assert starts[-1] == len(space.sizes)
    parts = (lambda one: one.stages[:-1], lambda one: one.stages[-1], lambda one: one.cls, lambda one: one.reg)
    return math.prod(different(space, *place) for place in zip(starts[:-1], starts[1:], parts, strict=True))


def different(space, start, stop, part):
    """How many values *part* of a network takes on over the choices from *start* to *stop*."""
    largest = [range(1)] * len(space.sizes)
    chosen = [*largest[:start], *map(range, space.sizes[start:stop]), *largest[stop:]]
    return len({part(space.architecture(genes)) for genes in itertools.product(*chosen)})


def test_choices_of_the_whole_space_are_those_of_the_paper():
    sizes = WholeSpace().sizes
    assert sizes[:14] == (6,) * 14
    assert sizes[14] == 8
    assert np.prod(sizes[15:], dtype=object) == (3 * 2 * 3**7) ** 2 == 172_186_884


def test_choices_become_the_string_they_stand_for():
    genes = (4, 5, 0, 2, 5, 1, 4, 0, 4, 4, 5, 2, 1, 0, 6, 2, 1, 1, 0, 0, 0, 0, 2, 2, 1, 0, 0, 0, 0, 0, 1, 1, 1)
    assert str(WholeSpace().architecture(genes)) == MOBILE


def test_the_published_network_can_shrink_to_so_many():
    space = ElasticSpace(PUBLISHED)
    assert space.sizes[:13] == (3, 6, 1, 2, 6, 2, 3, 1, 3, 3, 6, 2, 2)
    assert members(space) == 489_888 * 22 * 19 == 204_773_184


def test_towers_can_be_left_as_they_are():
    space = ElasticSpace(PUBLISHED, towers=False)
    assert members(space) == 489_888
    smallest = space.architecture(tuple(size - 1 for size in space.sizes))
    assert str(smallest) == "back_0000000000000000000" + "0+cls_211000022+reg_100000111_ops_30"


def test_blocks_can_be_left_as_they_are():
    space = ElasticSpace(PUBLISHED, blocks=False)
    assert members(space) == 3 * 22 * 19  # outputs, and what each tower may become
    smallest = space.architecture(tuple(size - 1 for size in space.sizes))
    assert str(smallest) == "back_0450251404450000000" + "0+cls_202222222+reg_102222222_ops_30"


def test_an_elastic_network_starts_as_its_parent_and_ends_at_its_smallest():
    space = ElasticSpace(PUBLISHED)
    assert str(space.architecture((0,) * len(space.sizes))) == MOBILE
    smallest = space.architecture(tuple(size - 1 for size in space.sizes))
    assert str(smallest) == "back_0000000000000000000" + "0+cls_202222222+reg_102222222_ops_30"


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_every_choice_gives_a_network_that_its_string_gives_too(space):
    rng = np.random.default_rng(0)
    for _ in range(200):
        architecture = space.architecture(tuple(map(int, rng.integers(0, space.sizes))))
        assert parse(str(architecture)) == architecture
        assert architecture.stride == 16


def test_every_elastic_network_fits_into_its_parent():
    space, rng = ElasticSpace(PUBLISHED), np.random.default_rng(1)
    parent = parse(MOBILE).blocks
    for _ in range(200):
        for own, whole in zip(space.architecture(tuple(rng.integers(0, space.sizes))).blocks, parent, strict=True):
            for small, large in zip(own, whole, strict=False):
                assert small.kernel <= large.kernel
                assert small.hidden <= large.hidden
