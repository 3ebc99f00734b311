from __future__ import annotations

import json
import time

import numpy as np
import pytest

from serving.live import requests
from serving.live.live import MOST_TARGETS
from serving.live.requests import Request
from siamtrt import BoundingBox, UsageError
from tests.serving.web.served import FRAME, Memory, endless, playing

BOX, OTHER = BoundingBox(40, 30, 50, 40), BoundingBox(90, 60, 20, 30)


class Seen(list):
    """What was shown, with a wait for what is to come."""

    def wait(self, condition):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self and condition(self[-1]):
                return self[-1]
            time.sleep(0.002)
        raise AssertionError(f"last shown: {self[-1] if self else None}")


@pytest.fixture
def seen():
    return Seen()


def numbers(shown):
    return [number for number, _ in shown.targets]


def follow(box, *, beside=False):
    return Request(requests.FOLLOW, box, beside)


def test_a_video_waits_at_its_first_frame_and_plays_when_asked(tmp_path, seen):
    with playing(lambda: Memory([FRAME] * 3, count=3), tmp_path, seen.append) as live:
        seen.wait(lambda shown: shown.number == 0 and shown.status["paused"])
        time.sleep(0.05)
        assert seen[-1].number == 0
        live.ask(Request(requests.GO))
        seen.wait(lambda shown: shown.number == 2 and shown.status["over"])
        live.ask(Request(requests.AGAIN))
        seen.wait(lambda shown: shown.number == 0 and shown.status["paused"])


def test_a_box_is_taken_in_the_frame_that_is_seen(tmp_path, seen):
    with playing(lambda: Memory([FRAME] * 2, count=2), tmp_path, seen.append) as live:
        seen.wait(lambda shown: shown.status["paused"])
        live.ask(follow(BOX))
        shown = seen.wait(lambda shown: shown.targets)
        assert shown.number == 0
        assert [(number, state.box, state.score) for number, state in shown.targets] == [(1, BOX, None)]
        live.ask(Request(requests.GO))
        shown = seen.wait(lambda shown: shown.number == 1 and shown.targets[0][1].score is not None)
        assert numbers(shown) == [1]


def test_a_drawn_box_replaces_the_targets_unless_it_joins_them(tmp_path, seen):
    with playing(lambda: Memory(endless()), tmp_path, seen.append) as live:
        seen.wait(lambda shown: True)
        live.ask(follow(BOX))
        live.ask(follow(OTHER, beside=True))
        seen.wait(lambda shown: numbers(shown) == [1, 2])
        live.ask(Request(requests.FORGET, target=1))
        shown = seen.wait(lambda shown: numbers(shown) == [2] and shown.targets[0][1].score is not None)
        assert shown.targets[0][1].place.width == pytest.approx(OTHER.width, rel=0.5)
        live.ask(follow(BOX))
        seen.wait(lambda shown: numbers(shown) == [3])
        live.ask(Request(requests.FORGET))
        seen.wait(lambda shown: not shown.targets)


def test_a_camera_goes_on_unseen_while_it_is_paused(tmp_path, seen):
    taken = []

    def camera():
        for frame in endless():
            taken.append(frame)
            yield frame

    with playing(lambda: Memory(camera()), tmp_path, seen.append) as live:
        seen.wait(lambda shown: shown.number > 2)
        live.ask(Request(requests.PAUSE))
        number = seen.wait(lambda shown: shown.status["paused"]).number
        before = len(taken)
        time.sleep(0.1)
        assert seen[-1].number == number
        assert len(taken) > before + 10
        live.ask(Request(requests.GO))
        seen.wait(lambda shown: shown.number > number)


def test_a_box_that_cannot_be_followed_is_told_and_the_next_one_is_cut_to_the_frame(tmp_path, seen):
    with playing(lambda: Memory(endless()), tmp_path, seen.append) as live:
        seen.wait(lambda shown: True)
        live.ask(follow(BOX))
        live.ask(follow(BoundingBox(500, 500, 20, 20)))
        shown = seen.wait(lambda shown: shown.status["notice"])
        assert shown.status["notice"] == "the box lies outside the frame"
        assert numbers(shown) == [1]
        live.ask(follow(BoundingBox(-20, -20, 60, 60)))
        shown = seen.wait(lambda shown: numbers(shown) == [2])
        assert shown.status["notice"] is None


def test_targets_are_bounded(tmp_path, seen):
    with playing(lambda: Memory(endless()), tmp_path, seen.append) as live:
        seen.wait(lambda shown: True)
        for _ in range(MOST_TARGETS + 1):
            live.ask(follow(BOX, beside=True))
        shown = seen.wait(lambda shown: shown.status["notice"])
        assert shown.status["notice"] == "there are 16 targets already"
        assert len(shown.targets) == MOST_TARGETS


def test_requests_are_bounded(tmp_path, seen):
    def stuck():
        yield FRAME
        time.sleep(0.5)
        yield FRAME

    with playing(lambda: Memory(stuck()), tmp_path, seen.append) as live:
        seen.wait(lambda shown: True)
        for _ in range(64):
            live.ask(Request(requests.PAUSE))
        with pytest.raises(UsageError, match="too many requests wait"):
            live.ask(Request(requests.PAUSE))


def test_a_frame_that_a_tracker_refuses_ends_its_targets_and_not_the_page(tmp_path, seen):
    def changing():
        yield from [FRAME] * 100
        yield from [np.zeros((60, 80, 3), np.uint8)] * 2000

    def slowly():
        for frame in changing():
            time.sleep(0.002)
            yield frame

    with playing(lambda: Memory(slowly()), tmp_path, seen.append) as live:
        seen.wait(lambda shown: True)
        live.ask(follow(BOX))
        seen.wait(lambda shown: shown.targets)
        shown = seen.wait(lambda shown: shown.status["notice"])
        assert "the frame size changed" in shown.status["notice"]
        assert not shown.targets
        seen.wait(lambda shown: shown.frame.shape == (60, 80, 3))
        live.ask(follow(BoundingBox(10, 10, 20, 20)))
        seen.wait(lambda shown: shown.targets and shown.targets[0][1].score is not None)


def test_a_source_that_cannot_be_opened_is_an_error_at_first_and_a_notice_later(tmp_path, seen):
    sources = [Memory([FRAME] * 2, count=2)]

    def reopen():
        if not sources:
            raise UsageError("the camera is gone")
        return sources.pop()

    with playing(reopen, tmp_path, seen.append) as live:
        seen.wait(lambda shown: shown.status["paused"])
        live.ask(Request(requests.AGAIN))
        assert seen.wait(lambda shown: shown.status["notice"]).status["notice"] == "the camera is gone"
        sources.append(Memory([FRAME] * 2, count=2))
        live.ask(Request(requests.AGAIN))
        seen.wait(lambda shown: shown.status["notice"] is None and not shown.status["over"])
    with pytest.raises(UsageError, match="the camera is gone"), playing(reopen, tmp_path, seen.append):
        pass


def test_a_recording_holds_the_given_box_and_each_frame_after_it(tmp_path, seen):
    frames = [FRAME, FRAME, None, FRAME]
    with playing(lambda: Memory(frames, count=4), tmp_path, seen.append) as live:
        seen.wait(lambda shown: True)
        for request in (Request(requests.RECORD), follow(BOX), Request(requests.GO)):
            live.ask(request)
        shown = seen.wait(lambda shown: shown.status["over"])
        assert shown.status["recording"] == {"name": "recording-001.jsonl", "lines": 4, "runs": True}
        live.ask(Request(requests.STOP))
        seen.wait(lambda shown: not shown.status["recording"]["runs"])
    lines = [json.loads(line) for line in (tmp_path / "recording-001.jsonl").read_text().splitlines()]
    assert [(line["frame"], line["box"] is None) for line in lines] == [(0, False), (1, False), (2, True), (3, False)]


def test_a_full_disk_is_a_notice_and_the_targets_are_followed_on(tmp_path, seen):
    (tmp_path / "file").write_text("")
    with playing(lambda: Memory(endless()), tmp_path / "file", seen.append) as live:
        seen.wait(lambda shown: True)
        live.ask(follow(BOX))
        live.ask(Request(requests.RECORD))
        shown = seen.wait(lambda shown: shown.status["notice"])
        assert "cannot write" in shown.status["notice"]
        assert numbers(seen.wait(lambda later: later.number > shown.number)) == [1]
