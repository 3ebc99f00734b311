"""Time the tracker on sequences, with restarts after failures as in the VOT protocol."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from pathlib import Path
from typing import List, Optional, Sequence

from benchmarks import datasets
from benchmarks.power.report import PowerReport
from benchmarks.speed.conditions import MachineState, conditions_of, read_state
from benchmarks.speed.figures import figures_of, rate
from benchmarks.speed.record import Preloaded, Recorder
from benchmarks.speed.report import WINDOW, SpeedReport, Video
from benchmarks.speed.samples import Samples
from benchmarks.vot.protocol import Protocol
from benchmarks.vot.results import FAILED, SKIPPED
from benchmarks.vot.run import follow
from runtime.tracker import Tracker
from siamtrt import Manifest, ModelCard, UsageError
from siamtrt.environment import describe

WARM_UP_UPDATES = 10

log = logging.getLogger(__name__)


def measure(
    engines: Path,
    sequences: Sequence[datasets.Sequence],
    protocol: Protocol,
    *,
    command: str,
    threads: Optional[int] = None,
    warm_up_updates: int = WARM_UP_UPDATES,
    root: Path = Path("/"),
) -> SpeedReport:
    """Run every sequence once.

    Args:
        engines: folder written by ``python -m engines``.
        sequences: each is warmed up, then tracked from its first frame.
        protocol: how many frames are skipped after a failure.
        command: kept in the report.
        threads: of the CPU backend; all cores when None.
        warm_up_updates: before each sequence, apart.
        root: where the machine's ``/sys`` is looked up.

    Raises:
        UsageError: there is no frame to time.
        PipelineError: of the runtime.
    """
    manifest, card = Manifest.load(engines, stage="engines"), ModelCard.load(engines)
    states: List[MachineState] = [read_state(root)]
    videos: List[Video] = []
    origin_ns = time.perf_counter_ns()
    with Tracker.open(engines, threads=threads) as tracker:
        recorder = Recorder(tracker)
        for sequence in sequences:
            videos.append(_video(recorder, sequence, protocol, warm_up_updates, origin_ns))
            states.append(read_state(root))
    return SpeedReport(
        title=f"{card.name} {manifest.settings['backend']} {manifest.settings['precision']}",
        command=command,
        window=WINDOW,
        figures=figures_of(
            [video.samples for video in videos],
            skipped=sum(video.skipped for video in videos),
            warm_up=sum(len(video.warm_up) for video in videos),
        ),
        videos=tuple(videos),
        power=PowerReport.absent("power was not measured"),
        conditions=conditions_of(states, root),
        environment=describe(root),
        engines_manifest=asdict(manifest),
    )


def _video(
    recorder: Recorder, sequence: datasets.Sequence, protocol: Protocol, warm_up_updates: int, origin_ns: int
) -> Video:
    """Warm up, then track *sequence*."""
    if len(sequence) < 2:
        raise UsageError(f"the sequence {sequence.name} has no second frame", hint="leave it out with --only")
    ahead = Preloaded(sequence.name, sequence.images, sequence.regions)
    warmed = range(min(warm_up_updates + 1, len(ahead)))
    recorder.start(ahead.frame(0), ahead.start_box(0))
    for index in warmed[1:]:
        recorder.update(ahead.frame(index))
    warm_up = Samples.of_calls(warmed, recorder.take(), origin_ns)
    entries = follow(recorder, ahead, protocol).entries
    called = [index for index, entry in enumerate(entries) if entry != SKIPPED]
    samples = Samples.of_calls(called, recorder.take(), origin_ns)
    failures = sum(entry == FAILED for entry in entries)
    log.info("%s: %.1f FPS over %d frames, %d failures", sequence.name, rate(samples), len(samples), failures)
    return Video(sequence.name, rate(samples), failures, len(entries) - len(called), warm_up, samples)
