"""The reset-based VOT protocol: run a tracker through sequences, and write its raw results.

Source: PySOT's VOT test loop: a frame without overlap is a failure; the tracker starts again five frames later.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

import numpy as np

from benchmarks.evaluation.plan import Plan
from benchmarks.evaluation.trackers import BoxTracker, named
from benchmarks.evaluation.vot.overlap import box_polygon, certainly_overlaps, raster_overlap
from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.evaluation.vot.results import FAILED, SKIPPED, STARTED, Entry, result_path, write
from sequences.sequence import Sequence
from siamtrt import Array, BoundingBox
from siamtrt.progress import progress_bar

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """One run over one sequence.

    Attributes:
        entries: one a frame.
        times_ns: of the tracker's call in each frame; None for a skipped one.
        lost: frame of a failure -> where the tracker took the target to be; None where it reported that it was gone.
    """

    entries: list[Entry] = field(default_factory=list)
    times_ns: list[int | None] = field(default_factory=list)
    lost: dict[int, BoundingBox | None] = field(default_factory=dict)


def run_sequence(sequence: Sequence, plan: Plan, protocol: Protocol) -> None:
    """Run one sequence and write its result, whole or not at all, and beside it what VOT's form has no place for.

    That is the time of each frame, the boxes the target was lost with, whether the sequence calibrated the engines, and
    what the result was made by.

    Raises:
        PipelineError: of any kind; nothing is written then.
    """
    with plan.open() as tracker:
        run = follow(tracker, sequence, protocol)
    notes = {
        "window": "tracker call alone: start or update, image decoding outside",
        "frames": run.times_ns,
        "lost": {str(index): str(box) if box else None for index, box in run.lost.items()},
    }
    plan.keep(sequence, notes)
    write(result_path(plan.out / "results", plan.tracker, sequence.name), run.entries)
    log.info("%s: %d frames, %d failures", sequence.name, len(run.entries), len(run.lost))


def follow(tracker: BoxTracker, sequence: Sequence, protocol: Protocol) -> Run:
    """The state machine of the protocol.

    Raises:
        ArtifactError: an image is unreadable or of another size, or a box to start with is no box in its frame.
    """
    run = Run()
    next_start = 0
    frames = progress_bar(range(len(sequence)), desc=sequence.name, unit="frame", leave=False)
    with frames as progress, named(sequence, run.entries):
        for index in progress:
            if index < next_start:
                run.entries.append(SKIPPED)
                run.times_ns.append(None)
                continue
            frame = sequence.frame(index)
            started_ns = time.perf_counter_ns()
            if index == next_start:
                tracker.start(frame, sequence.start_box(index))
                run.times_ns.append(time.perf_counter_ns() - started_ns)
                run.entries.append(STARTED)
                continue
            box = tracker.update(frame)
            run.times_ns.append(time.perf_counter_ns() - started_ns)
            if box is not None and _overlaps(box, sequence.polygon(index), frame):
                run.entries.append(box)
            else:
                run.entries.append(FAILED)
                run.lost[index] = box
                next_start = index + protocol.skip_frames
                progress.set_postfix(failures=len(run.lost))
    return run


def _overlaps(box: BoundingBox, truth: Array, frame: Array) -> bool:
    if certainly_overlaps(box, truth, (frame.shape[1], frame.shape[0])):
        return True
    region = box_polygon(np.array([[box.x, box.y, box.width, box.height]]))
    return bool(raster_overlap(region, truth[None], (frame.shape[1], frame.shape[0]))[0] > 0)
