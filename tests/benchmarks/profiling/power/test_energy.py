from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.profiling.power.energy import Sample, alike, over
from benchmarks.profiling.power.rails import Rail, Reading
from siamtrt import ProbeError
from tests.benchmarks.profiling.power.boards import SECOND_NS, xavier


def seconds(*windows):
    return [(round(start * SECOND_NS), round(end * SECOND_NS)) for start, end in windows]


RISING = [xavier(0, 0), xavier(1, 4000), xavier(2, 4000), xavier(4, 8000)]


def test_energy_is_a_trapezoid_over_the_window():
    found = over(RISING, seconds((1, 3)), 5)
    gpu = found["GPU"]
    assert gpu.energy_j == pytest.approx(4 + 5)  # 4 W for a second, then 4 W rising to 6 W
    assert gpu.mean_w == pytest.approx(4.5)
    assert gpu.peak_w == pytest.approx(6)
    assert found["total"].energy_j == pytest.approx(9 + 2 * 5)
    assert list(found) == ["GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V", "total"]


def test_what_lies_between_windows_is_left_out():
    samples = [
        xavier(0, 1000),
        xavier(1, 1000),
        xavier(1.001, 9000),
        xavier(2, 9000),
        xavier(2.001, 3000),
        xavier(4, 3000),
    ]
    gpu = over(samples, seconds((0.25, 1), (2.5, 3.5)), 5)["GPU"]
    assert gpu.energy_j == pytest.approx(0.75 * 1 + 1 * 3)
    assert gpu.mean_w == pytest.approx(3.75 / 1.75)
    assert gpu.peak_w == pytest.approx(3)


def test_a_window_between_two_samples_is_interpolated():
    gpu = over(RISING, seconds((0.25, 0.75)), 5)["GPU"]
    assert gpu.energy_j == pytest.approx(1.0)
    assert gpu.p95_w == pytest.approx(1 + 0.95 * 2)


def test_the_95th_percentile_is_of_time_not_of_samples():
    """Cut into many windows, their interpolated borders count for no more than the moment they are."""
    samples = [xavier(0, 1000), xavier(9.7, 1000), xavier(9.75, 9000), xavier(9.95, 9000), xavier(10, 1000)]
    dense = [*samples[:2], *(xavier(9.75 + at / 1000, 9000) for at in range(200)), *samples[3:]]
    many = [
        *((0.1 * at, 0.1 * at + 0.05) for at in range(97)),
        *((9.7 + 0.01 * at, 9.7 + 0.01 * (at + 1)) for at in range(30)),
    ]
    for found in (over(samples, seconds((0, 10)), 20), over(dense, seconds((0, 10)), 20)):
        assert found["GPU"].p95_w == pytest.approx(1)
    cut = over(samples, seconds(*many), 20)["GPU"]
    assert cut.energy_j == pytest.approx(97 * 0.05 * 1 + 0.3 + 8 * 0.25)
    # 5 % of 5.15 s lie above: 0.2 s at 9 W, and of the two slopes of 0.05 s each their upper 0.02875 s.
    assert cut.p95_w == pytest.approx(9 - 8 * 0.02875 / 0.05)


def test_most_of_a_step_decides_its_percentile():
    samples = [xavier(0, 1000), xavier(0.94, 1000), xavier(0.94 + 1e-9, 9000), xavier(1, 9000)]
    assert over(samples, seconds((0, 1)), 5)["GPU"].p95_w == pytest.approx(9)


def test_a_peak_lasts_as_long_as_it_lasted_however_often_it_was_read():
    """A mean of samples would call this 7 W."""
    samples = [xavier(0, 1000), xavier(9, 1000), *(xavier(9 + at / 10, 9000) for at in (1, 2, 3, 4))]
    assert over(samples, seconds((0, 9)), 20)["GPU"].mean_w == pytest.approx(1)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 900), st.integers(0, 2**50)), min_size=2, max_size=20))
def test_the_power_is_at_or_below_its_95th_percentile_for_95_percent_of_the_time(steps):
    times_ms = [sum(step for step, _ in steps[:at]) for at in range(len(steps))]
    samples = [xavier(time_ms / 1000, power) for time_ms, (_, power) in zip(times_ms, steps)]
    level_mw = over(samples, [(0, samples[-1].time_ns)], 5)["GPU"].p95_w * 1000
    at_ms = np.linspace(0, times_ms[-1], 20_001)
    share = np.mean(np.interp(at_ms, times_ms, [power for _, power in steps]) <= level_mw * (1 + 1e-9) + 1e-3)
    assert share >= 0.95 - 0.002
    share = np.mean(np.interp(at_ms, times_ms, [power for _, power in steps]) < level_mw * (1 - 1e-9) - 1e-3)
    assert share <= 0.95 + 0.002


@settings(deadline=None)
@given(st.lists(st.integers(0, 30_000), min_size=2, max_size=30), st.integers(0, 2**62))
def test_two_halves_hold_the_energy_of_the_whole(powers, origin_ns):
    samples = [xavier(at / 10, power) for at, power in enumerate(powers)]
    samples = [Sample(sample.time_ns + origin_ns, sample.reading) for sample in samples]
    end_ns = samples[-1].time_ns
    middle_ns = (origin_ns + end_ns) // 2
    whole = over(samples, [(origin_ns, end_ns)], 1)["GPU"]
    halves = [over(samples, [window], 1)["GPU"] for window in ((origin_ns, middle_ns), (middle_ns, end_ns))]
    assert sum(half.energy_j for half in halves) == pytest.approx(whole.energy_j, abs=1e-9)
    assert min(powers) / 1000 - 1e-9 <= whole.mean_w <= whole.peak_w + 1e-9
    assert min(powers) / 1000 <= whole.p95_w <= whole.peak_w == max(powers) / 1000


@pytest.mark.parametrize("window", [(-0.1, 1), (3, 4.1), (-2, -1), (5, 6)])
def test_samples_that_do_not_cover_the_window_are_an_error(window):
    with pytest.raises(ProbeError, match="do not cover the measured window"):
        over(RISING, seconds(window), 5)


def test_no_samples_and_no_windows_are_errors():
    with pytest.raises(ProbeError, match="do not cover"):
        over([], seconds((0, 1)), 5)
    with pytest.raises(ProbeError, match="no frame"):
        over(RISING, [], 5)


def test_a_gap_counts_where_it_touches_a_window_only():
    assert over(RISING, seconds((0, 2)), 1.5)["GPU"].energy_j == pytest.approx(6)
    for window in ((0, 3), (2.5, 3), (3.5, 4)):
        with pytest.raises(ProbeError, match=r"no power was read for 2\.0 s inside"):
            over(RISING, seconds(window), 1.5)


def test_a_board_of_unknown_rails_has_no_total():
    samples = [Sample(at, Reading((Rail("VDD_GPU_SOC", 5),), None, {})) for at in (0, SECOND_NS)]
    assert list(over(samples, [(0, SECOND_NS)], 5)) == ["VDD_GPU_SOC"]


ODD = Sample(5, Reading((Rail("GPU", 1),), None, {}))


@pytest.mark.parametrize("at", [0, 1, 4])
def test_samples_with_other_rails_than_most_are_not_alike(at):
    assert alike([*RISING[:at], ODD, *RISING[at:]]) == RISING


def test_of_as_many_the_first_rails_are_kept():
    assert alike([RISING[0], ODD]) == RISING[:1]
    assert alike([ODD, RISING[0]]) == [ODD]
    assert alike([]) == []
