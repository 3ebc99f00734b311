"""``python -m benchmarks ope``: run a tracker once through each sequence, and compare the trackers run so far."""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from tqdm import tqdm

from benchmarks.evaluation.jobs import run_jobs
from benchmarks.evaluation.leaks import KEY as LEAKED
from benchmarks.evaluation.leaks import leaked_in, require_no_leak, told
from benchmarks.evaluation.ope.measures import Measures, measure
from benchmarks.evaluation.ope.results import as_boxes, read, result_path, trackers, write
from benchmarks.evaluation.trackers import OPENCV_TRACKERS, Follower, add_run_arguments, named, open_follower
from benchmarks.evaluation.vot.resume import KEY, beside, of_sequence, provenance, unfinished
from benchmarks.evaluation.vot.run import tracker_name
from sequences.annotated import load_sequences
from sequences.sequence import Sequence
from siamtrt import ArtifactError, BoundingBox, UsageError
from siamtrt.files import write_text

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--engines", type=Path, help="run these first: a folder written by python -m engines")
    parser.add_argument("--opencv", help=f"run one of OpenCV's trackers instead: {', '.join(OPENCV_TRACKERS)}")
    parser.add_argument("--sequences", type=Path, required=True, help="folder of NAME/groundtruth.txt beside images")
    parser.add_argument("--out", type=Path, required=True, help="OUT/results/TRACKER/NAME.txt, OUT/times, OUT/ope.json")
    add_run_arguments(parser)


def main(options: argparse.Namespace) -> None:
    """Run what is not there yet, compare all trackers in the folder, print a table and write ``ope.json``."""
    if options.engines and options.opencv:
        raise UsageError("name one tracker", hint="--engines DIR, or --opencv NAME")
    sequences = load_sequences(options.sequences, tuple(options.only), gaps=True)
    if options.engines or options.opencv:
        _run_missing(sequences, options)
    found = evaluate(options.out / "results", sequences)
    leaked = leaked_in(options.out, found, (sequence.name for sequence in sequences))
    document = {
        "protocol": "ope",
        "trackers": {name: asdict(entry) for name, entry in found.items()},
        **({LEAKED: leaked} if leaked else {}),
    }
    write_text(options.out / "ope.json", json.dumps(document, indent=1) + "\n")
    print(table(found) + told(leaked))  # noqa: T201


def evaluate(results: Path, sequences: List[Sequence]) -> Dict[str, Measures]:
    """Measure every tracker below *results*.

    Raises:
        UsageError: there is none.
        ArtifactError: a result is missing, damaged, or of another length; or a sequence has no truth at all.
    """
    truths = {sequence.name: as_boxes(sequence.regions) for sequence in sequences}
    for name, truth in truths.items():
        if not (truth[:, 2:] > 0).all(1).any():
            raise ArtifactError(f"no frame of {name} has a truth with an area", hint="mend the annotation")
    return {
        tracker: measure(truths, {sequence.name: read(results, tracker, sequence) for sequence in sequences})
        for tracker in trackers(results)
    }


def follow(follower: Follower, sequence: Sequence) -> Tuple[List[Optional[BoundingBox]], List[int]]:
    """Run a tracker once.

    Returns:
        Its box in each frame, the one it was given first, and the nanoseconds of the tracker's call.

    Raises:
        UsageError: the first frame has no truth to start with.
        ArtifactError: an image is unreadable or of another size, or the box to start with is no box in its frame.
    """
    start = _start_box(sequence)
    boxes: List[Optional[BoundingBox]] = [start]
    times_ns: List[int] = []
    frames = tqdm(range(len(sequence)), desc=sequence.name, unit="frame", leave=False)
    with frames as progress, named(sequence, times_ns):
        for index in progress:
            frame = sequence.frame(index)
            started_ns = time.perf_counter_ns()
            if index == 0:
                follower.start(frame, start)
            else:
                boxes.append(follower.update(frame))
            times_ns.append(time.perf_counter_ns() - started_ns)
    return boxes, times_ns


def table(found: Dict[str, Measures]) -> str:
    """A table for the terminal, best success first; frames without a truth are told of where there are some."""
    lines = [f"{'tracker':32} {'success AUC':>11} {'precision at 20 px':>18}"]
    for name, entry in sorted(found.items(), key=lambda item: -item[1].success_auc):
        lines.append(f"{name:32} {entry.success_auc:11.3f} {entry.precision_20_px:18.3f}")
        absent = sum(row.frames - row.annotated_frames for row in entry.sequences.values())
        if absent:
            label = f"  without {absent} unannotated frames"
            lines.append(f"{label:32} {entry.annotated_success_auc:11.3f} {entry.annotated_precision_20_px:18.3f}")
    return "\n".join(lines)


def run_sequence(
    sequence: Sequence,
    *,
    out: Path,
    tracker: str,
    engines: Optional[Path],
    opencv: Optional[str],
    threads: Optional[int],
    leaked: Tuple[str, ...],
    made_by: Dict[str, Any],
) -> None:
    """Run one sequence and write its times, then its result, whole or not at all.

    Raises:
        PipelineError: of any kind; no result is written then.
    """
    with open_follower(engines, opencv, threads) as follower:
        boxes, times_ns = follow(follower, sequence)
    window = "tracker call alone, image decoding outside"
    notes = {
        "unit": "ns",
        "window": window,
        "frames": times_ns,
        LEAKED: sequence.name in leaked,
        KEY: of_sequence(made_by, sequence),
    }
    write_text(beside(out, tracker, sequence.name), json.dumps(notes) + "\n")
    write(result_path(out / "results", tracker, sequence.name), boxes)
    log.info("%s: %d frames, %.1f FPS", sequence.name, len(boxes), 1e9 * len(boxes) / sum(times_ns))


def _run_missing(sequences: List[Sequence], options: argparse.Namespace) -> None:
    leaked = require_no_leak(options.engines, sequences, allowed=options.allow_leak) if options.engines else []
    out, tracker = options.out, options.tracker or tracker_name(options.engines, options.opencv)
    made_by = provenance(options.engines, options.opencv, None)
    waiting = unfinished(sequences, out, tracker, made_by, result_path)
    work = partial(
        run_sequence,
        out=out,
        tracker=tracker,
        engines=options.engines,
        opencv=options.opencv,
        threads=options.threads,
        leaked=tuple(leaked),
        made_by=made_by,
    )
    run_jobs(work, waiting, options.jobs, "ope")


def _start_box(sequence: Sequence) -> BoundingBox:
    """PySOT's: half a pixel right and down of an annotated box, so that the search starts in its continuous centre."""
    region = sequence.regions[0]
    if not np.isfinite(region).all():
        raise UsageError(
            f"the first frame of {sequence.name} has no truth to start with", hint="leave it out by --only"
        )
    box = sequence.start_box(0)
    return box if len(region) == 8 else BoundingBox(box.x + 0.5, box.y + 0.5, box.width, box.height)
