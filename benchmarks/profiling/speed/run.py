"""Time the tracker on sequences, with restarts after failures as in the VOT protocol."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Sequence

from benchmarks.evaluation.trackers import waiting
from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.evaluation.vot.results import FAILED, SKIPPED
from benchmarks.evaluation.vot.run import follow
from benchmarks.profiling.graph_work import title
from benchmarks.profiling.power.energy import Window
from benchmarks.profiling.power.probe import NONE, ProbeChoice
from benchmarks.profiling.power.watched import watching
from benchmarks.profiling.speed.call_times import Samples
from benchmarks.profiling.speed.conditions import Conditions, conditions_of, read_state
from benchmarks.profiling.speed.figures import Figures, figures_of, rate
from benchmarks.profiling.speed.record import Preloaded, Recorder, stretches
from benchmarks.profiling.speed.speed_report import WINDOW, SpeedReport, Video
from runtime.tracker import Tracker
from sequences import sequence as videos
from siamtrt import Manifest, ModelCard, UsageError
from siamtrt.environment import cores, describe

_NO_PROBE = ProbeChoice(NONE)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """How a run is made.

    Attributes:
        protocol: says how many frames are skipped after a failure.
        threads: of the CPU backend; all cores when None.
        wait: how to wait for the GPU, see :class:`runtime.open_engines.Opening`; on a core when None.
        warm_up_updates: before each sequence, apart.
        block_bytes: memory for frames that are decoded ahead; power is read over one block after the other.
        probe: of the power beside; its root is where the machine's ``/sys`` is looked up.
        idle_s: how long to rest beforehand, to learn what the machine draws at idle.
    """

    protocol: Protocol
    threads: int | None = None
    wait: str | None = None
    warm_up_updates: int = 10
    block_bytes: int = 512 << 20
    probe: ProbeChoice = _NO_PROBE
    idle_s: float = 0.0


def measure(engines: Path, sequences: Sequence[videos.Sequence], settings: Settings, *, command: str) -> SpeedReport:
    """Run every sequence once.

    Args:
        engines: folder written by ``python -m engines``.
        sequences: each is warmed up, then tracked from its first frame.
        settings: how to run it.
        command: kept in the report.

    Raises:
        UsageError: there is no frame to time.
        ProbeError: a probe that was asked for by name does not work.
        PipelineError: of the runtime.
    """
    manifest, card = Manifest.load(engines, stage="engines"), ModelCard.load(engines)
    backend, root = manifest.settings["backend"], settings.probe.root
    wait = waiting(backend, settings.wait)
    states = [read_state(root)]
    runs: list[TimedRun] = []
    origin_ns = time.perf_counter_ns()
    with watching(settings.probe, settings.idle_s) as watched, Tracker.open(
        engines, threads=settings.threads, wait=wait
    ) as tracker:
        recorder = Recorder(tracker)
        for sequence in sequences:
            runs.append(_run(recorder, sequence, settings, origin_ns))
            states.append(read_state(root))
        watched.finish()
    videos, windows = tuple(run.video for run in runs), [window for run in runs for window in run.windows]
    conditions = conditions_of(states, watched.readings(windows), root)
    figures = _figures(videos, conditions)
    timed_ns = sum(sum(video.samples.total_ns) for video in videos)
    return SpeedReport(
        title=title(card, backend, manifest.settings["precision"]),
        command=command,
        window=WINDOW,
        figures=figures,
        videos=videos,
        power=watched.report(windows, frames=figures.frames, timed_ns=timed_ns, origin_ns=origin_ns),
        conditions=conditions,
        environment=describe(root),
        engines_manifest=asdict(manifest),
        threads=threads_of(backend, settings.threads),
        wait=wait,
    )


def threads_of(backend: str, asked: int | None) -> int | None:
    """How many threads compute an operator; None where the CPU does not compute."""
    return (asked or cores()) if backend == "onnxruntime" else None


def _figures(videos: Sequence[Video], conditions: Conditions) -> Figures:
    figures = figures_of(
        [video.samples for video in videos],
        skipped=sum(video.skipped for video in videos),
        warm_up=sum(len(video.warm_up) for video in videos),
    )
    return replace(figures, warnings=(*figures.warnings, *conditions.doubts))


@dataclass(frozen=True)
class TimedRun:
    """One sequence, and when its frames were tracked without a pause, in nanoseconds of the monotonic clock."""

    video: Video
    windows: list[Window]


def _run(recorder: Recorder, sequence: videos.Sequence, settings: Settings, origin_ns: int) -> TimedRun:
    """Warm up, then track *sequence*."""
    if len(sequence) < 2:
        raise UsageError(f"the sequence {sequence.name} has no second frame", hint="leave it out with --only")
    ahead = Preloaded(sequence.name, sequence.images, sequence.regions, block_bytes=settings.block_bytes)
    warmed = range(min(settings.warm_up_updates + 1, len(ahead)))
    recorder.start(ahead.frame(0), ahead.start_box(0))
    for index in warmed[1:]:
        recorder.update(ahead.frame(index))
    warm_up = Samples.of_calls(warmed, recorder.take(), origin_ns)
    entries = follow(recorder, ahead, settings.protocol).entries
    called = [index for index, entry in enumerate(entries) if entry != SKIPPED]
    calls = recorder.take()
    samples = Samples.of_calls(called, calls, origin_ns)
    failures = sum(entry == FAILED for entry in entries)
    log.info("%s: %.1f FPS over %d frames, %d failures", sequence.name, rate(samples), len(samples), failures)
    video = Video(sequence.name, rate(samples), failures, len(entries) - len(called), warm_up, samples)
    return TimedRun(video, stretches(calls, ahead.paused_ns))
