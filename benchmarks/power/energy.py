"""Power over a window, from samples with the times they were taken at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Sequence, Tuple

import numpy as np

from benchmarks.power.rails import Rail, total_mw
from siamtrt import Array, UsageError

TOTAL = "total"


@dataclass(frozen=True)
class Sample:
    """Rails at one instant of the monotonic clock."""

    time_ns: int
    rails: Tuple[Rail, ...]


@dataclass(frozen=True)
class PowerSummary:
    """Of one rail over a window; watts and joules. The mean is energy over time, not the mean of samples."""

    mean_w: float
    p95_w: float
    peak_w: float
    energy_j: float


@dataclass(frozen=True)
class Power:
    """Of a window.

    Attributes:
        rails: name -> summary; ``total`` too where the board's rails are known to make one up.
        joules_a_frame: of the total; None without total or frames.
        gpu_max_avg_w: the largest running average of the GPU's rail, the figure of a published thesis, for comparison
            with it only: it depends on when tegrastats was started.
        reason: why there is no figure; None where there are some.
    """

    rails: Dict[str, PowerSummary]
    joules_a_frame: Optional[float]
    gpu_max_avg_w: Optional[float]
    reason: Optional[str] = None


def summarise(samples: Sequence[Sample], start_ns: int, end_ns: int, frames: int) -> Power:
    """Cut *samples* to a window and integrate by the trapezoid rule; power at its borders is interpolated.

    Args:
        samples: in the order of time.
        start_ns: of the window, on the clock of the samples.
        end_ns: likewise, later.
        frames: tracked in the window.

    Raises:
        UsageError: the window is empty.
    """
    if end_ns <= start_ns:
        raise UsageError("the measured window is empty", hint="track at least one frame")
    times = np.array([sample.time_ns for sample in samples], float)
    if len(times) < 2 or times[0] > start_ns or times[-1] < end_ns:
        return Power({}, None, None, reason="the power samples do not cover the measured window")
    names = [rail.name for rail in samples[0].rails]
    series = {name: np.array([_of(sample, name) for sample in samples], float) for name in names}
    totals = [total_mw(sample.rails) for sample in samples]
    if all(value is not None for value in totals):
        series[TOTAL] = np.array(totals, float)
    rails = {name: _window(times, values, start_ns, end_ns) for name, values in series.items()}
    energy = rails[TOTAL].energy_j if TOTAL in rails else None
    averages = [rail.average_mw for sample in samples for rail in sample.rails if rail.name == "GPU"]
    known = [average for average in averages if average is not None]
    return Power(
        rails,
        energy / frames if energy is not None and frames else None,
        max(known) / 1000 if known else None,
    )


def _window(times_ns: Array, power_mw: Array, start_ns: int, end_ns: int) -> PowerSummary:
    inside = (times_ns > start_ns) & (times_ns < end_ns)
    borders = np.interp([start_ns, end_ns], times_ns, power_mw)
    at = np.concatenate([[start_ns], times_ns[inside], [end_ns]]) / 1e9
    watts = np.concatenate([borders[:1], power_mw[inside], borders[1:]]) / 1000
    energy = float(((watts[1:] + watts[:-1]) / 2 * np.diff(at)).sum())
    return PowerSummary(energy / float(at[-1] - at[0]), float(np.percentile(watts, 95)), float(watts.max()), energy)


def _of(sample: Sample, name: str) -> float:
    for rail in sample.rails:
        if rail.name == name:
            return rail.power_mw
    return float("nan")
