"""The same figures from the times that ``python -m benchmarks vot`` kept: whole calls, without stages or power."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.evaluation.vot.results import FAILED, STARTED, read, result_path
from benchmarks.profiling.power.power_report import PowerReport
from benchmarks.profiling.speed.call_times import Samples
from benchmarks.profiling.speed.figures import figures_of, rate
from benchmarks.profiling.speed.speed_report import WINDOW, SpeedReport, Video
from siamtrt import ArtifactError, UsageError
from siamtrt.files import read_json, visible

WARM_UP_CALLS = 11  # a start and ten updates, once in the run: it had no warm-up of its own


def summarise(run: Path, tracker: str, *, command: str) -> SpeedReport:
    """Read the times of every sequence of *tracker*; the first calls of the run are its warm-up.

    Args:
        run: the ``--out`` folder of ``python -m benchmarks vot``.
        tracker: name of the results.
        command: kept in the report.

    Raises:
        UsageError: there are none, or no frame was tracked after the warm-up.
        ArtifactError: a file is damaged.
    """
    files = visible(run / "times" / tracker, "*.json")
    if not files:
        raise UsageError(f"{run} holds no times of {tracker}", hint="python -m benchmarks vot writes them")
    videos: list[Video] = []
    warm_up = WARM_UP_CALLS
    for path in files:
        codes = [int(code) for code in read(result_path(run / "results", tracker, path.stem)).codes]
        times = _times(path, len(codes))
        called = [index for index, time in enumerate(times) if time is not None]
        apart, timed = called[:warm_up], called[warm_up:]
        warm_up = max(0, warm_up - len(called))
        if timed:
            samples, before = _samples(timed, codes, times), _samples(apart, codes, times)
            skipped = len(codes) - len(called)
            videos.append(Video(path.stem, rate(samples), codes.count(FAILED), skipped, before, samples))
    figures = figures_of(
        [video.samples for video in videos],
        skipped=sum(video.skipped for video in videos),
        warm_up=WARM_UP_CALLS - warm_up,
    )
    power = PowerReport.absent("a VOT run keeps no power")
    return SpeedReport(tracker, command, WINDOW, figures, tuple(videos), power, None, None, None)


def _times(path: Path, count: int) -> list[Any]:
    times = read_json(path).get("frames")
    if not isinstance(times, list) or len(times) != count:
        raise ArtifactError(f"{path} does not hold a time for each of {count} frames", hint="run the sequence anew")
    if not all(time is None or (isinstance(time, int) and time > 0) for time in times):
        raise ArtifactError(f"{path} holds a time that is no count of nanoseconds", hint="run the sequence anew")
    return times


def _samples(indices: list[int], codes: list[int], times: list[Any]) -> Samples:
    totals: tuple[int, ...] = tuple(times[index] for index in indices)
    return Samples(tuple(indices), tuple(codes[index] == STARTED for index in indices), totals, {}, None)
