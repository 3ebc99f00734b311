from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.power.energy import Sample, alike, over
from benchmarks.power.rails import Rail, Reading
from siamtrt import ProbeError
from tests.benchmarks.power.boards import SECOND_NS, xavier


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


def test_a_peak_lasts_as_long_as_it_lasted_however_often_it_was_read():
    """A mean of samples would call this 7 W."""
    samples = [xavier(0, 1000), xavier(9, 1000), *(xavier(9 + at / 10, 9000) for at in (1, 2, 3, 4))]
    assert over(samples, seconds((0, 9)), 20)["GPU"].mean_w == pytest.approx(1)


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
    assert whole.p95_w <= whole.peak_w == max(powers) / 1000


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


def test_samples_with_other_rails_than_the_first_are_not_alike():
    odd = Sample(5, Reading((Rail("GPU", 1),), None, {}))
    assert alike([RISING[0], odd, RISING[1]]) == RISING[:2]
    assert alike([]) == []
