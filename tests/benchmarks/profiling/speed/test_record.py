from __future__ import annotations

import pytest

from benchmarks.profiling.speed.call_times import Call
from benchmarks.profiling.speed.record import Preloaded, Recorder, stretches
from runtime.tracker import TrackerState
from sequences.annotated import load_sequence
from sequences.rendered.command import write_clip
from siamtrt import BoundingBox
from siamtrt.geometry import Place

BOX = BoundingBox(1, 2, 3, 4)


class Instant:
    def __init__(self):
        self.seen = []

    def start(self, frame, box):
        self.seen.append(("start", frame, box))
        return state(box, None, crop_ns=1)

    def update(self, frame):
        self.seen.append(("update", frame))
        return state(BOX, 0.5, crop_ns=2)


def state(box, score, *, crop_ns):
    return TrackerState(box, Place.given(box), score, False, {"crop": crop_ns}, frame_shape=(), fill=(0, 0, 0))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    write_clip(folder, 7, 8)
    return load_sequence(folder)


def preloaded(clip, frames):
    return Preloaded(clip.name, clip.images, clip.regions, block_bytes=frames * clip.frame(0).nbytes)


def test_calls_are_passed_on_and_kept_in_order():
    tracker = Instant()
    recorder = Recorder(tracker)
    recorder.start("a", BOX)
    assert recorder.update("b") == BOX
    assert tracker.seen == [("start", "a", BOX), ("update", "b")]
    first, second = recorder.take()
    assert (first.started, second.started) == (True, False)
    assert (first.times, second.times) == ({"crop": 1}, {"crop": 2})
    assert first.total_ns > 0
    assert second.began_ns >= first.began_ns + first.total_ns
    assert recorder.take() == ()


def test_frames_are_decoded_block_by_block(clip):
    ahead = preloaded(clip, 3)
    for index in range(8):
        assert (ahead.frame(index) == clip.frame(index)).all()
        assert len(ahead.block) <= 3
    assert len(ahead.paused_ns) == 3
    assert ahead.paused_ns == sorted(ahead.paused_ns)


def test_a_block_holds_one_frame_at_least_and_the_whole_video_at_most(clip):
    tiny, large = preloaded(clip, 0), preloaded(clip, 100)
    for index in range(8):
        tiny.frame(index)
        large.frame(index)
    assert (len(tiny.paused_ns), len(large.paused_ns)) == (8, 1)


def test_it_is_still_the_same_sequence(clip):
    ahead = preloaded(clip, 2)
    assert len(ahead) == 8
    assert ahead.start_box(3) == clip.start_box(3)
    assert (ahead.polygon(5) == clip.polygon(5)).all()


def calls(*began_ns):
    return [Call(False, began, 10, {}) for began in began_ns]


@pytest.mark.parametrize(
    ("paused_ns", "expected"),
    [
        ([], [(0, 70)]),
        ([-5], [(0, 70)]),
        ([35], [(0, 30), (40, 70)]),
        ([-5, 12, 15, 55], [(0, 10), (20, 50), (60, 70)]),
        ([90], [(0, 70)]),
    ],
)
def test_a_stretch_ends_where_images_are_decoded(paused_ns, expected):
    assert stretches(calls(0, 20, 40, 60), paused_ns) == expected


def test_without_calls_there_is_no_stretch():
    assert stretches([], [5]) == []
