"""What was sampled beside a run, to the report of its power."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Sequence

from benchmarks.profiling.power.energy import TOTAL, PowerSummary, Sample, Window, alike, over
from benchmarks.profiling.power.power_report import PowerReport, PowerSamples
from benchmarks.profiling.power.rails import Board, board_of
from siamtrt import ProbeError

_GPU_RAIL = "GPU"
# Power between two readings is taken as a straight line; over a longer silence it is not known.
_SHORTEST_LIMIT_S, _MISSED_READINGS = 1.0, 5

Rails = Dict[str, PowerSummary]


@dataclass(frozen=True)
class Recording:
    """All that one probe showed.

    Attributes:
        probe: its name.
        interval_s: asked of it.
        samples: in the order of time.
        error: why it ended by itself; None where it did not.
        idle: the stretch before any work; None where there was none.
    """

    probe: str
    interval_s: float
    samples: tuple[Sample, ...]
    error: str | None
    idle: Window | None

    def within(self, windows: Sequence[Window]) -> tuple[Sample, ...]:
        """The samples from the start of the first window to the end of the last."""
        if not windows:
            return ()
        return tuple(sample for sample in self.samples if windows[0][0] <= sample.time_ns <= windows[-1][1])


def report_of(
    recording: Recording, windows: Sequence[Window], *, frames: int, timed_ns: int, origin_ns: int
) -> PowerReport:
    """Sum up the power of a run.

    Args:
        recording: of the whole run.
        windows: stretches of it, apart, in the order of time, in nanoseconds of the samples' clock.
        frames: tracked in them.
        timed_ns: how much of the windows the tracker's calls took.
        origin_ns: what the times of the report count from.
    """
    samples = alike(recording.samples)
    reasons: dict[str, str] = {}
    load = _over(recording, samples, windows, reasons, "load")
    idle = _over(recording, samples, [recording.idle] if recording.idle else [], reasons, "idle")
    board = _board(samples)
    window_s = sum(end_ns - start_ns for start_ns, end_ns in windows) / 1e9
    report = PowerReport(
        probe=recording.probe,
        interval_ms=recording.interval_s * 1000,
        total_rails=board.total_rails if board else None,
        note=board.note if board else None,
        load=load,
        idle=idle,
        joules_a_frame=_joules_a_frame(load, 0.0, frames),
        joules_a_frame_above_idle=_joules_a_frame(load, _resting_j(idle, window_s), frames),
        gpu_max_avg_w=_largest_average_w(recording.within(windows)),
        windows_ns=tuple(_from(window, origin_ns) for window in windows),
        idle_window_ns=_from(recording.idle, origin_ns) if recording.idle else None,
        timed_share=timed_ns / 1e9 / window_s if frames and window_s else None,
        left_out=len(recording.samples) - len(samples),
        samples=_columns(samples, origin_ns) if samples else None,
        reasons=reasons,
    )
    reasons.update({name: why for name, why in _WHY.items() if getattr(report, name) is None and name not in reasons})
    return report


_WHY = {
    "total_rails": "it is not known which rails make up this board's total",
    "joules_a_frame": "it needs the total's power, and frames in the measured windows",
    "joules_a_frame_above_idle": "it needs the total's power at rest and under load, and frames in the windows",
    "gpu_max_avg_w": "only tegrastats prints a running average of a rail called GPU",
    "timed_share": "no frame was tracked in a measured window",
    "samples": "the probe gave no reading",
}


def _over(
    recording: Recording, samples: Sequence[Sample], windows: Sequence[Window], reasons: dict[str, str], name: str
) -> Rails | None:
    """The summary over *windows*; None where it is not known, with the reason under *name*."""
    if not windows:
        reasons[name] = f"there was no stretch of {name}"
        return None
    try:
        return over(samples, windows, max(_SHORTEST_LIMIT_S, _MISSED_READINGS * recording.interval_s))
    except ProbeError as error:
        reasons[name] = f"{error.problem}: {recording.error}" if recording.error else error.problem
        return None


def _board(samples: Sequence[Sample]) -> Board | None:
    return board_of([rail.name for rail in samples[0].rails]) if samples else None


def _joules_a_frame(load: Rails | None, without_j: float | None, frames: int) -> float | None:
    if load is None or TOTAL not in load or without_j is None or not frames:
        return None
    return (load[TOTAL].energy_j - without_j) / frames


def _resting_j(idle: Rails | None, seconds: float) -> float | None:
    return idle[TOTAL].mean_w * seconds if idle and TOTAL in idle else None


def _largest_average_w(samples: Sequence[Sample]) -> float | None:
    averages = [rail.average_mw for sample in samples for rail in sample.rails if rail.name == _GPU_RAIL]
    known = [average for average in averages if average is not None]
    return max(known) / 1000 if known else None


def _from(window: Window, origin_ns: int) -> Window:
    return window[0] - origin_ns, window[1] - origin_ns


def _columns(samples: Sequence[Sample], origin_ns: int) -> PowerSamples:
    names = [rail.name for rail in samples[0].rails]
    return PowerSamples(
        time_ns=tuple(sample.time_ns - origin_ns for sample in samples),
        power_mw={name: tuple(sample.rails[at].power_mw for sample in samples) for at, name in enumerate(names)},
        gpu_mhz=tuple(sample.reading.gpu_mhz for sample in samples),
    )
