from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.profiling.speed.call_times import STAGES, Call, Samples
from benchmarks.profiling.speed.figures import distribution, doubts, figures_of
from siamtrt import UsageError

MS = 1_000_000


def video(*calls):
    """Calls as (started, total ms, times); frame and beginning follow from their order."""
    made = [Call(started, 100 * at, total * MS, times) for at, (started, total, times) in enumerate(calls)]
    return Samples.of_calls(range(len(made)), made, 0)


def update(total, **stages):
    return (False, total, {name: value * MS for name, value in stages.items()})


def start(total, **stages):
    return (True, *update(total, **stages)[1:])


TORN = video(
    start(30, crop=1, target=20, refit=8),
    update(10, crop=2, search=5, xcorr=1, decode=1),
    update(20, crop=4, search=9, xcorr=2, decode=3),
)
WHOLE = video(start(40), update(30, network=25))


def test_rates_pooled_and_as_the_thesis_means_them():
    found = figures_of([TORN, WHOLE], skipped=4, warm_up=11)
    assert found.fps_pooled == pytest.approx(5 / 0.130)
    assert found.fps_mean_of_videos == pytest.approx((3 / 0.060 + 2 / 0.070) / 2)
    assert (found.frames, found.starts, found.skipped, found.warm_up) == (5, 2, 4, 11)


def test_frames_updates_and_starts_are_told_apart():
    found = figures_of([TORN, WHOLE], skipped=0, warm_up=0)
    assert (found.frame_ms.count, found.frame_ms.mean) == (5, pytest.approx(26))
    assert (found.update_ms.count, found.update_ms.p50, found.update_ms.max) == (3, 20, 30)
    assert (found.start_ms.count, found.start_ms.p50, found.start_ms.min) == (2, 35, 30)


def test_stages_are_disjoint_and_what_is_left_is_the_rest():
    found = figures_of([TORN], skipped=0, warm_up=0).stages_ms
    assert {stage: entry.mean for stage, entry in found.items()} == {
        "crop": pytest.approx(7 / 3),
        "target": 20,
        "search": 7,
        "xcorr": 1.5,
        "refit": 8,
        "decode": 2,
        "rest": pytest.approx((1 + 1 + 2) / 3),
    }
    assert sum(entry.mean * entry.count for entry in found.values()) == pytest.approx(60)


def test_a_backend_that_cannot_tell_search_and_xcorr_apart_has_one_stage_for_both():
    assert WHOLE.stages_ns == {"network": (None, 25 * MS)}
    assert set(figures_of([WHOLE], skipped=0, warm_up=0).stages_ms) == {"network", "rest"}


def test_without_stages_there_is_no_rest():
    plain = Samples((0,), (False,), (MS,), {}, None)
    assert figures_of([plain], skipped=0, warm_up=0).stages_ms == {}


def test_what_did_not_happen_is_none():
    only_start = figures_of([video(start(30))], skipped=0, warm_up=0)
    assert (only_start.update_ms, only_start.warnings) == (None, ("no update was timed",))
    assert figures_of([video(update(30))], skipped=0, warm_up=0).start_ms is None


@pytest.mark.parametrize("videos", [[], [Samples((), (), (), {}, ())]])
def test_no_call_is_an_error(videos):
    with pytest.raises(UsageError, match="no frame was tracked"):
        figures_of(videos, skipped=9, warm_up=0)


def test_percentiles_of_a_known_distribution():
    found = distribution(np.arange(1, 102) * MS)
    assert (found.count, found.min, found.p50, found.p90, found.p95, found.p99, found.max) == (
        101,
        1,
        51,
        91,
        96,
        100,
        101,
    )
    assert (found.mean, found.stdev) == (pytest.approx(51), pytest.approx(np.arange(101).std()))


@settings(deadline=None)
@given(st.lists(st.integers(1, 10**10), min_size=1, max_size=50))
def test_percentiles_are_ordered(durations):
    found = distribution(np.array(durations))
    assert found.min <= found.p50 <= found.p90 <= found.p95 <= found.p99 <= found.max
    assert found.min <= found.mean * (1 + 1e-12)


def test_a_steady_run_raises_no_doubt():
    assert doubts(np.tile([10 * MS, 11 * MS], 50)) == []


def test_what_pyperf_warns_of_raises_a_doubt():
    assert doubts(np.tile([10 * MS, 13 * MS], 50)) == [
        "the standard deviation is 13% of the mean: is the machine busy, is its clock fixed?"
    ]
    one_slow = np.full(200, 10 * MS)
    one_slow[7] = 20 * MS
    assert doubts(one_slow) == ["1 of 200 updates took over 1.5 times the mean, the slowest 2.0 times"]
    assert doubts(np.full(99, 10 * MS)) == ["99 updates are few for a 99th percentile; measure 100 or more"]


def test_columns_of_calls():
    assert TORN.began_ns == (0, 100, 200)
    assert TORN.started == (True, False, False)
    assert TORN.stages_ns["target"] == (20 * MS, None, None)
    assert TORN.stages_ns["search"] == (None, 5 * MS, 9 * MS)
    assert set(TORN.stages_ns) <= set(STAGES)
    assert "network" not in TORN.stages_ns
