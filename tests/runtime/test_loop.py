from __future__ import annotations

import numpy as np
import pytest

from runtime import loop
from runtime.followed import Followed
from siamtrt import ArtifactError, BoundingBox
from tests.runtime.stub import StubMatcher, card, tracker_of

FRAME = np.zeros((120, 160, 3), np.uint8)
BOX, OTHER = BoundingBox(40, 30, 50, 40), BoundingBox(90, 60, 20, 30)


class Memory:
    def __init__(self):
        self.taken = []

    def add(self, frame, states):
        self.taken.append((frame is not None, [state.score is None for state in states]))

    def close(self):
        pass


@pytest.fixture
def followed():
    with Followed(lambda count: [tracker_of(StubMatcher(card())) for _ in range(count)]) as targets:
        targets.add(BOX)
        yield targets


def test_every_sink_takes_every_frame_and_gaps_keep_the_states_before(followed):
    sinks = [Memory(), Memory()]
    loop.run([FRAME, None, FRAME], followed, sinks)
    assert sinks[0].taken == [(True, [True]), (False, [True]), (True, [False])]
    assert sinks[1].taken == sinks[0].taken


def test_targets_may_join_between_frames(followed):
    def frames():
        yield FRAME
        followed.add(OTHER)
        yield FRAME

    memory = Memory()
    loop.run(frames(), followed, [memory])
    assert memory.taken == [(True, [True]), (True, [False, True])]


def test_frames_without_a_target_reach_the_sinks(followed):
    followed.clear()

    def frames():
        yield FRAME
        followed.add(OTHER)
        yield FRAME

    memory = Memory()
    loop.run(frames(), followed, [memory])
    assert memory.taken == [(True, []), (True, [True])]


def test_what_stops_the_run_is_raised_after_the_rate_was_told(followed, caplog):
    class Full(Memory):
        def add(self, frame, states):
            super().add(frame, states)
            if len(self.taken) == 3:
                raise ArtifactError("the disk is full")

    with caplog.at_level("INFO"), pytest.raises(ArtifactError, match="the disk is full"):
        loop.run([FRAME] * 5, followed, [Full()])
    assert "tracked 2 frames in" in caplog.text
