from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest

from runtime.decode import Candidate
from runtime.tracker import moved
from siamtrt import BoundingBox, InferenceError, UsageError
from siamtrt.card import TrackerConstants
from siamtrt.geometry import Place
from tests.runtime.stub import StubMatcher, card, long_term_card, maps_with_score, tracker_of

FRAME = np.zeros((240, 320, 3), np.uint8)
BOX = BoundingBox(100, 80, 60, 40)


def started(matcher, box=BOX, frame=FRAME):
    tracker = tracker_of(matcher)
    tracker.start(frame, box)
    return tracker


def test_an_update_needs_a_start():
    with pytest.raises(UsageError, match="no target yet"):
        tracker_of(StubMatcher(card())).update(FRAME)


@pytest.mark.parametrize(
    ("box", "complaint"),
    [
        (BoundingBox(400, 10, 20, 20), "outside the frame of 320x240"),
        (BoundingBox(-30, 10, 20, 20), "outside the frame"),
        (BoundingBox(10, 10, 0, 20), "no area"),
        (BoundingBox(10, math.nan, 20, 20), "not a number"),
        (BoundingBox(10, 10, 641, 20), "far larger than the frame of 320x240"),
        (BoundingBox(10, 10, 20, 481), "far larger than the frame"),
        ((10, 10, 20, 20), r"a BoundingBox, not \(10, 10, 20, 20\)\n  try: BoundingBox"),
    ],
)
def test_a_box_that_cannot_be_tracked_is_refused(box, complaint):
    with pytest.raises(UsageError, match=complaint):
        started(StubMatcher(card()), box)


def test_a_box_a_little_larger_than_the_frame_is_tracked():
    assert started(StubMatcher(card()), BoundingBox(-20, -20, 360, 280)).update(FRAME).box


def test_only_a_long_term_tracker_says_whether_the_target_is_lost():
    assert started(StubMatcher(card())).update(FRAME).lost is None
    assert tracker_of(StubMatcher(card())).start(FRAME, BOX).lost is None
    assert tracker_of(StubMatcher(long_term_card())).start(FRAME, BOX).lost is False


def test_a_changed_frame_size_is_refused_and_the_target_kept():
    tracker = started(StubMatcher(card()))
    with pytest.raises(UsageError, match="changed from 320x240 to 200x100"):
        tracker.update(np.zeros((100, 200, 3), np.uint8))
    tracker.update(FRAME)


def test_a_grey_frame_is_tracked():
    tracker = started(StubMatcher(card()), frame=FRAME[..., 0])
    assert tracker.update(np.zeros((240, 320, 4), np.uint8)).score is not None


def test_the_state_never_leaves_the_frame():
    matcher = StubMatcher(card())
    tracker = started(matcher, BoundingBox(300, 220, 60, 60))
    for _ in range(20):
        box = tracker.update(FRAME).box
    assert 0 <= box.center[0] <= 320
    assert 0 <= box.center[1] <= 240
    assert 10 <= box.width <= 320


@pytest.mark.parametrize(("log", "width", "height"), [(1.0, 320, 240), (-3.0, 10, 10)], ids=["grows", "shrinks"])
def test_the_sides_stay_between_the_cards_least_and_the_frames(log, width, height):
    def respond(size):
        cls, loc = maps_with_score(size, 0.99)
        loc[10:] = log
        return cls, loc

    model = card(tracker=TrackerConstants(0.0, 0.0, 1.0, source="test", min_side_px=10))
    tracker = started(StubMatcher(model, respond))
    for _ in range(3):
        box = tracker.update(FRAME).box
    assert (box.width, box.height) == (width, height)


def test_a_score_that_is_no_number_is_an_error():
    broken = np.full((10, 25, 25), np.nan, np.float32), np.zeros((20, 25, 25), np.float32)
    with pytest.raises(InferenceError, match="no numbers"):
        started(StubMatcher(card(), lambda size: broken)).update(FRAME)


def test_leaving_the_tracker_closes_its_matcher():
    matcher = StubMatcher(card())
    with tracker_of(matcher):
        pass
    assert matcher.closed


def test_a_lost_target_is_searched_in_the_large_crop_where_it_was_last():
    matcher = StubMatcher(long_term_card(), partial(maps_with_score, score=0.5))
    tracker = started(matcher)
    first, second = tracker.update(FRAME), tracker.update(FRAME)
    assert (first.lost, second.lost) == (True, True)
    assert [square.out_px for square in matcher.squares] == [255, 831]
    assert second.box == first.box  # frozen while the score is low


def test_a_target_is_found_again_only_above_the_high_confidence():
    scores = iter([0.5, 0.9, 0.999, 0.9])
    matcher = StubMatcher(long_term_card(), lambda size: maps_with_score(size, next(scores)))
    tracker = started(matcher)
    assert [tracker.update(FRAME).lost for _ in range(4)] == [True, True, False, False]
    assert [square.out_px for square in matcher.squares] == [255, 831, 831, 255]


def test_a_new_target_never_starts_out_as_lost():
    matcher = StubMatcher(long_term_card(), partial(maps_with_score, score=0.5))
    tracker = started(matcher)
    tracker.update(FRAME)
    tracker.start(FRAME, BOX)
    tracker.update(FRAME)
    assert matcher.squares[-1].out_px == 255


def test_the_long_term_state_is_clipped_to_the_frame():
    def respond(size):
        cls, loc = maps_with_score(size, 0.9)
        loc[2] = 5  # far to the right
        return cls, loc

    tracker = started(StubMatcher(long_term_card(), respond))
    for _ in range(5):
        state = tracker.update(FRAME)
    assert state.box.center[0] == pytest.approx(320)


@pytest.mark.parametrize(("power", "width"), [(1.0, 54.0), (2.0, 51.6)])
def test_the_size_follows_at_the_rate_to_the_power_of_the_card(power, width):
    constants = TrackerConstants(0.0, 0.0, lr=1.0, source="test", size_rate_power=power)
    candidate = Candidate(0.0, 0.0, 60.0, 60.0, score=0.8, penalty=0.5)
    found = moved(Place(0.0, 0.0, 50.0, 60.0), candidate, 1.0, constants)
    assert (found.width, found.height) == pytest.approx((width, 60.0))
