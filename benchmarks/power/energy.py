"""Power over stretches of time, from samples with the times they were taken at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Sequence, Tuple

import numpy as np

from benchmarks.power.rails import Rail, Reading, total_mw
from siamtrt import Array, ProbeError

TOTAL = "total"

Window = Tuple[int, int]


@dataclass(frozen=True)
class Sample:
    """A reading and when it was taken, in nanoseconds of the monotonic clock."""

    time_ns: int
    reading: Reading

    @property
    def rails(self) -> Tuple[Rail, ...]:
        """Of the reading."""
        return self.reading.rails


@dataclass(frozen=True)
class PowerSummary:
    """Of one rail; watts and joules. The mean is energy over time, not the mean of samples."""

    mean_w: float
    p95_w: float
    peak_w: float
    energy_j: float


def alike(samples: Sequence[Sample]) -> List[Sample]:
    """Those that show the rails of the first; a reading without one of them would count it as nothing."""
    return [sample for sample in samples if _names(sample) == _names(samples[0])]


def over(samples: Sequence[Sample], windows: Sequence[Window], longest_gap_s: float) -> Dict[str, PowerSummary]:
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
    watts = np.concatenate([cut for cut, _ in cuts])
    energy_j = sum(energy for _, energy in cuts)
    seconds = sum(end_ns - start_ns for start_ns, end_ns in windows) / 1e9
    return PowerSummary(energy_j / seconds, float(np.percentile(watts, 95)), float(watts.max()), energy_j)


def _cut(times: Array, power_mw: Array, start_ns: int, end_ns: int) -> Tuple[Array, float]:
    """Watts at the borders and at the samples between them, and their integral in joules."""
    inside = (times > start_ns) & (times < end_ns)
    # Relative to the start: a monotonic clock may be so large that doubles of it are coarse.
    at_s = np.concatenate([[0], times[inside] - start_ns, [end_ns - start_ns]]) / 1e9
    borders = np.interp([0, end_ns - start_ns], times - start_ns, power_mw)
    watts = np.concatenate([borders[:1], power_mw[inside], borders[1:]]) / 1000
    return watts, float(((watts[1:] + watts[:-1]) / 2 * np.diff(at_s)).sum())


def _names(sample: Sample) -> List[str]:
    return [rail.name for rail in sample.rails]
