"""Raw times to figures, and what makes them doubtful."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Sequence, Tuple

import numpy as np

from benchmarks.profiling.speed.call_times import Samples
from siamtrt import Array, UsageError

REST = "rest"
_ENOUGH_UPDATES = 100
# Source of the two: the checks that pyperf makes of its own runs.
_UNSTABLE_STDEV_SHARE = 0.1
_OUTLIER_SHARE = 0.5


@dataclass(frozen=True)
class Distribution:
    """How some durations are distributed, in milliseconds; ``count`` is how many there are."""

    count: int
    mean: float
    stdev: float
    min: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True)
class Figures:
    """The figures of all timed calls.

    Attributes:
        frames: how many calls were timed, starts included.
        starts: how many of them gave the tracker a target.
        skipped: frames without a call; counted nowhere.
        warm_up: calls before the timed ones; counted nowhere.
        fps_pooled: timed calls / their time.
        fps_mean_of_videos: plain mean of each video's rate, as a published thesis computes its headline, except that
            it counts skipped frames as tracked ones too; it favours videos that are fast.
        frame_ms: of every timed call.
        update_ms: of the updates; None where there is none.
        start_ms: of the starts; None where there is none.
        stages_ms: stage -> of the calls that had it; ``rest`` is what of a call lies in no stage. Empty where no
            stage was timed.
        warnings: what makes the figures doubtful, a sentence each.
    """

    frames: int
    starts: int
    skipped: int
    warm_up: int
    fps_pooled: float
    fps_mean_of_videos: float
    frame_ms: Distribution
    update_ms: Optional[Distribution]
    start_ms: Optional[Distribution]
    stages_ms: Dict[str, Distribution]
    warnings: Tuple[str, ...]


def figures_of(videos: Sequence[Samples], *, skipped: int, warm_up: int) -> Figures:
    """Figures of the timed calls of *videos*.

    Args:
        videos: the timed calls of each.
        skipped: frames without a call.
        warm_up: calls that were left out.

    Raises:
        UsageError: no call was timed.
    """
    videos = [video for video in videos if len(video)]
    if not videos:
        raise UsageError("no frame was tracked", hint="a sequence needs two frames at least")
    total_ns = np.concatenate([video.total_ns for video in videos])
    started = np.concatenate([video.started for video in videos]).astype(bool)
    updates = total_ns[~started]
    return Figures(
        frames=len(total_ns),
        starts=int(started.sum()),
        skipped=skipped,
        warm_up=warm_up,
        fps_pooled=len(total_ns) / (float(total_ns.sum()) / 1e9),
        fps_mean_of_videos=float(np.mean([rate(video) for video in videos])),
        frame_ms=distribution(total_ns),
        update_ms=distribution(updates) if len(updates) else None,
        start_ms=distribution(total_ns[started]) if started.any() else None,
        stages_ms=_stages_ms(videos),
        warnings=tuple(doubts(updates)),
    )


def rate(samples: Samples) -> float:
    """Calls a second of the time they took."""
    return len(samples) / (sum(samples.total_ns) / 1e9)


def distribution(durations_ns: Array) -> Distribution:
    """Summarise durations (N nanoseconds, N > 0) in milliseconds."""
    values_ms = np.asarray(durations_ns, np.float64) / 1e6
    p50, p90, p95, p99 = (float(value) for value in np.percentile(values_ms, (50, 90, 95, 99)))
    mean, stdev = float(values_ms.mean()), float(values_ms.std())
    return Distribution(len(values_ms), mean, stdev, float(values_ms.min()), p50, p90, p95, p99, float(values_ms.max()))


def doubts(updates_ns: Array) -> list[str]:
    """What makes updates of these durations (N nanoseconds) doubtful as a measurement."""
    if len(updates_ns) == 0:
        return ["no update was timed"]
    times = distribution(updates_ns)
    warnings = []
    if times.count < _ENOUGH_UPDATES:
        warnings.append(f"{times.count} updates are few for a 99th percentile; measure {_ENOUGH_UPDATES} or more")
    if times.stdev >= _UNSTABLE_STDEV_SHARE * times.mean:
        share = times.stdev / times.mean
        warnings.append(f"the standard deviation is {share:.0%} of the mean: is the machine busy, is its clock fixed?")
    slow = int((np.asarray(updates_ns) / 1e6 >= (1 + _OUTLIER_SHARE) * times.mean).sum())
    if slow:
        warnings.append(
            f"{slow} of {times.count} updates took over {1 + _OUTLIER_SHARE:g} times the mean, "
            f"the slowest {times.max / times.mean:.1f} times"
        )
    return warnings


def _stages_ms(videos: Sequence[Samples]) -> dict[str, Distribution]:
    columns: dict[str, list[int]] = {}
    rest: list[int] = []
    for video in videos:
        for stage, column in video.stages_ns.items():
            columns.setdefault(stage, []).extend(value for value in column if value is not None)
        if video.stages_ns:
            parts = zip(*video.stages_ns.values())
            rest += [total - sum(part or 0 for part in row) for total, row in zip(video.total_ns, parts)]
    if rest:
        columns[REST] = rest
    return {stage: distribution(np.array(column)) for stage, column in columns.items()}
