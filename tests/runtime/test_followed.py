from __future__ import annotations

import numpy as np
import pytest

from runtime.followed import Followed
from siamtrt import BoundingBox, UsageError
from tests.runtime.stub import StubMatcher, card, tracker_of

FRAME = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
BOX, OTHER = BoundingBox(40, 30, 50, 40), BoundingBox(90, 60, 20, 30)


@pytest.fixture
def opened():
    """Matchers, in the lots they were opened in."""
    return []


@pytest.fixture
def followed(opened):
    def open_trackers(count):
        opened.append([StubMatcher(card()) for _ in range(count)])
        return [tracker_of(matcher) for matcher in opened[-1]]

    with Followed(open_trackers) as targets:
        yield targets
    assert all(matcher.closed for lot in opened for matcher in lot)


def test_targets_that_join_together_are_opened_together(followed, opened):
    followed.add(BOX)
    followed.add(OTHER)
    assert [state.box for state in followed.follow(FRAME)] == [BOX, OTHER]
    assert [len(lot) for lot in opened] == [2]


def test_trackers_are_kept_open_for_the_next_targets(followed, opened):
    followed.make_room(1)
    for _ in range(3):
        followed.add(BOX)
        followed.add(OTHER)
        assert len(followed.follow(FRAME)) == 2
        followed.clear()
    assert [len(lot) for lot in opened] == [1, 1]
    followed.add(OTHER)
    assert [state.box for state in followed.follow(FRAME)] == [OTHER]


def test_a_target_joins_those_that_are_followed(followed):
    followed.add(BOX)
    followed.follow(FRAME)
    followed.add(OTHER)
    states = followed.follow(FRAME)
    assert states[0].score is not None
    assert (states[1].box, states[1].score) == (OTHER, None)


def test_there_has_to_be_a_target(followed):
    with pytest.raises(UsageError, match="there is no target yet"):
        followed.follow(FRAME)
    followed.add(BOX)
    followed.clear()
    with pytest.raises(UsageError, match="there is no target yet"):
        followed.follow(FRAME)
