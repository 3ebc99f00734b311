"""Power over stretches of time, from samples with the times they were taken at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np

from benchmarks.profiling.power.rails import Rail, Reading, total_mw
from siamtrt import Array, ProbeError

TOTAL = "total"
_LEVEL_W = 1e-9  # what rises by less is level
_HALVINGS = 60  # of any range leave less than a double resolves

Window = Tuple[int, int]


@dataclass(frozen=True)
class Sample:
    """A reading and when it was taken, in nanoseconds of the monotonic clock."""

    time_ns: int
    reading: Reading

    @property
    def rails(self) -> tuple[Rail, ...]:
        """Rails of the reading."""
        return self.reading.rails


@dataclass(frozen=True)
class PowerSummary:
    """The power of one rail. The mean is energy over time, and 95 % of the time it draws ``p95_w`` at most."""

    mean_w: float
    p95_w: float
    peak_w: float
    energy_j: float


def alike(samples: Sequence[Sample]) -> list[Sample]:
    """Those that show the rails that most of them show; a reading without one of them would count it as nothing."""
    shown = [_names(sample) for sample in samples]
    usual = Counter(shown).most_common(1)
    return [sample for sample, names in zip(samples, shown) if names == usual[0][0]]


def over(samples: Sequence[Sample], windows: Sequence[Window], longest_gap_s: float) -> dict[str, PowerSummary]:
    """Cut *samples* to *windows* and integrate by the trapezoid rule; power at their borders is interpolated.

    Args:
        samples: alike, in the order of time.
        windows: start and end in nanoseconds on the clock of the samples, apart, in the order of time.
        longest_gap_s: how far apart two samples may lie for the power between them to be known.

    Returns:
        Rail -> summary over all windows; ``total`` too where it is known which rails make it up.

    Raises:
        ProbeError: the samples do not cover the windows.
    """
    times = np.array([sample.time_ns for sample in samples], np.int64)
    _require_cover(times, windows, longest_gap_s)
    rails = [rail.name for rail in samples[0].rails]
    series = {name: np.array([sample.rails[at].power_mw for sample in samples]) for at, name in enumerate(rails)}
    totals = [total_mw(sample.rails) for sample in samples]
    if totals[0] is not None:
        series[TOTAL] = np.array(totals)
    return {name: _summary(times, values, windows) for name, values in series.items()}


def _require_cover(times: Array, windows: Sequence[Window], longest_gap_s: float) -> None:
    if not windows:
        raise ProbeError("no frame was tracked in a measured window")
    if len(times) < 2 or times[0] > windows[0][0] or times[-1] < windows[-1][1]:
        raise ProbeError("the power samples do not cover the measured window")
    for start_ns, end_ns in windows:
        first, last = np.searchsorted(times, start_ns, "right") - 1, np.searchsorted(times, end_ns, "left")
        gap_s = float(np.diff(times[first : last + 1]).max(initial=0)) / 1e9
        if gap_s > longest_gap_s:
            raise ProbeError(f"no power was read for {gap_s:.1f} s inside the measured window")


def _summary(times: Array, power_mw: Array, windows: Sequence[Window]) -> PowerSummary:
    cuts = [_cut(times, power_mw, start_ns, end_ns) for start_ns, end_ns in windows]
    widths_s, starts_w, ends_w = (np.concatenate(column) for column in zip(*cuts))
    energy_j = float((widths_s * (starts_w + ends_w) / 2).sum())
    peak_w = float(max(starts_w.max(), ends_w.max()))
    return PowerSummary(energy_j / float(widths_s.sum()), _p95_w(widths_s, starts_w, ends_w), peak_w, energy_j)


def _cut(times: Array, power_mw: Array, start_ns: int, end_ns: int) -> tuple[Array, Array, Array]:
    """The trapezoids of a window, at whose borders power is interpolated: width in seconds, watts at start and end."""
    inside = (times > start_ns) & (times < end_ns)
    # Relative to the start: a monotonic clock may be so large that doubles of it are coarse.
    at_s = np.concatenate([[0], times[inside] - start_ns, [end_ns - start_ns]]) / 1e9
    borders = np.interp([0, end_ns - start_ns], times - start_ns, power_mw)
    watts = np.concatenate([borders[:1], power_mw[inside], borders[1:]]) / 1000
    return np.diff(at_s), watts[:-1], watts[1:]


def _p95_w(widths_s: Array, starts_w: Array, ends_w: Array) -> float:
    """What the power is at or below for 95 % of the time, by bisection; within a trapezoid it is a straight line."""
    low_w, high_w = np.minimum(starts_w, ends_w), np.maximum(starts_w, ends_w)
    rise_w = np.maximum(high_w - low_w, _LEVEL_W)
    least, most = float(low_w.min()), float(high_w.max())
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        below = np.clip((middle - low_w) / rise_w, 0, 1)
        if (widths_s * below).sum() < 0.95 * widths_s.sum():
            least = middle
        else:
            most = middle
    return most


def _names(sample: Sample) -> tuple[str, ...]:
    return tuple(rail.name for rail in sample.rails)
