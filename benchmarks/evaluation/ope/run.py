"""One pass: a tracker is started once in each sequence and never again."""

from __future__ import annotations

import logging
import time

import numpy as np

from benchmarks.evaluation.ope.results import result_path, write
from benchmarks.evaluation.plan import Plan
from benchmarks.evaluation.trackers import BoxTracker, named
from sequences.sequence import Sequence
from siamtrt import BoundingBox, UsageError
from siamtrt.progress import progress_bar

log = logging.getLogger(__name__)


def run_sequence(sequence: Sequence, plan: Plan) -> None:
    """Run one sequence and write its times, then its result, whole or not at all.

    Raises:
        PipelineError: of any kind; no result is written then.
    """
    with plan.open() as tracker:
        boxes, times_ns = follow(tracker, sequence)
    plan.keep(sequence, {"window": "tracker call alone, image decoding outside", "frames": times_ns})
    write(result_path(plan.out / "results", plan.tracker, sequence.name), boxes)
    log.info("%s: %d frames, %.1f FPS", sequence.name, len(boxes), 1e9 * len(boxes) / sum(times_ns))


def follow(tracker: BoxTracker, sequence: Sequence) -> tuple[list[BoundingBox | None], list[int]]:
    """Run a tracker once.

    Returns:
        Its box in each frame, the one it was given first, and the nanoseconds of the tracker's call.

    Raises:
        UsageError: the first frame has no truth to start with.
        ArtifactError: an image is unreadable or of another size, or the box to start with is no box in its frame.
    """
    start = _start_box(sequence)
    boxes: list[BoundingBox | None] = [start]
    times_ns: list[int] = []
    frames = progress_bar(range(len(sequence)), desc=sequence.name, unit="frame", leave=False)
    with frames as progress, named(sequence, times_ns):
        for index in progress:
            frame = sequence.frame(index)
            started_ns = time.perf_counter_ns()
            if index == 0:
                tracker.start(frame, start)
            else:
                boxes.append(tracker.update(frame))
            times_ns.append(time.perf_counter_ns() - started_ns)
    return boxes, times_ns


def _start_box(sequence: Sequence) -> BoundingBox:
    """PySOT's: half a pixel right and down of an annotated box, so that the search starts in its continuous centre."""
    region = sequence.regions[0]
    if not np.isfinite(region).all():
        raise UsageError(
            f"the first frame of {sequence.name} has no truth to start with", hint="leave it out by --only"
        )
    box = sequence.start_box(0)
    return box if len(region) == 8 else BoundingBox(box.x + 0.5, box.y + 0.5, box.width, box.height)
