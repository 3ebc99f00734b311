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


def test_a_target_starts_at_once_in_a_frame_that_was_seen(followed):
    followed.add(BOX)
    followed.follow(FRAME)
    state = followed.start(FRAME, OTHER)
    assert (state.box, state.score) == (OTHER, None)
    assert followed.count == 2
    assert [one.score is not None for one in followed.follow(FRAME)] == [True, True]


def test_a_target_that_is_removed_leaves_the_others_as_they_were_and_its_tracker_open(followed, opened):
    third = BoundingBox(10, 80, 50, 30)
    for box in (BOX, OTHER, third):
        followed.add(box)
    followed.follow(FRAME)
    followed.add(BOX)
    followed.remove(0)
    followed.remove(2)  # the one that waits
    centers = [state.place.center_x for state in followed.follow(FRAME)]
    assert centers == pytest.approx([OTHER.center[0], third.center[0]], abs=40)
    followed.start(FRAME, BOX)
    assert followed.count == 3
    assert sum(map(len, opened)) == 3
    with pytest.raises(IndexError):
        followed.remove(3)


def test_there_has_to_be_a_target(followed):
    with pytest.raises(UsageError, match="there is no target yet"):
        followed.follow(FRAME)
    followed.add(BOX)
    followed.clear()
    with pytest.raises(UsageError, match="there is no target yet"):
        followed.follow(FRAME)
