"""``python -m benchmarks vot``: run a tracker under the reset-based protocol and write its raw results.

Source: PySOT's VOT test loop: a frame without overlap is a failure; the tracker starts again five frames later.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from tqdm import tqdm

from benchmarks.evaluation.jobs import run_jobs
from benchmarks.evaluation.leaks import KEY as LEAKED
from benchmarks.evaluation.leaks import require_no_leak
from benchmarks.evaluation.trackers import OPENCV_TRACKERS, Follower, add_run_arguments, named, open_follower
from benchmarks.evaluation.vot.overlap import box_polygon, raster_overlap
from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.evaluation.vot.quick_overlap import plainly_overlap
from benchmarks.evaluation.vot.results import FAILED, SKIPPED, STARTED, Entry, result_path, write
from benchmarks.evaluation.vot.resume import KEY, beside, of_sequence, provenance, unfinished
from sequences.annotated import load_sequences
from sequences.sequence import Sequence
from siamtrt import Array, BoundingBox, UsageError
from siamtrt.files import write_text

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lap:
    """One run over one sequence.

    Attributes:
        entries: one a frame.
        times_ns: of the tracker's call in each frame; None for a skipped one.
        lost: frame of a failure -> where the tracker said the target was; None where it said that it was gone.
    """

    entries: List[Entry] = field(default_factory=list)
    times_ns: List[Optional[int]] = field(default_factory=list)
    lost: Dict[int, Optional[BoundingBox]] = field(default_factory=dict)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--protocol", default="vot2018", help="vot2016, vot2018, vot2019, or the path of a .json file")
    parser.add_argument("--engines", type=Path, help="folder written by python -m engines")
    parser.add_argument("--opencv", help=f"one of OpenCV's trackers instead: {', '.join(OPENCV_TRACKERS)}")
    parser.add_argument("--sequences", type=Path, required=True, help="folder of NAME/color, NAME/groundtruth.txt")
    parser.add_argument("--out", type=Path, required=True, help="results go to OUT/results, times to OUT/times")
    add_run_arguments(parser)


def main(options: argparse.Namespace) -> None:
    """Run what is not there yet, and print the folder of the results."""
    if (options.engines is None) == (options.opencv is None):
        raise UsageError("name one tracker", hint="--engines DIR, or --opencv NAME")
    protocol = Protocol.load(options.protocol)
    sequences = load_sequences(options.sequences, tuple(options.only))
    leaked = require_no_leak(options.engines, sequences, allowed=options.allow_leak) if options.engines else []
    tracker = options.tracker or tracker_name(options.engines, options.opencv)
    made_by = provenance(options.engines, options.opencv, protocol)
    waiting = unfinished(sequences, options.out, tracker, made_by, result_path)
    if len(waiting) < len(sequences):
        log.info("%d sequences are there already", len(sequences) - len(waiting))
    work = partial(
        run_sequence,
        out=options.out,
        tracker=tracker,
        protocol=protocol,
        engines=options.engines,
        opencv=options.opencv,
        threads=options.threads,
        leaked=tuple(leaked),
        made_by=made_by,
    )
    run_jobs(work, waiting, options.jobs, "vot")
    print(options.out / "results")  # noqa: T201


def run_sequence(
    sequence: Sequence,
    *,
    out: Path,
    tracker: str,
    protocol: Protocol,
    engines: Optional[Path],
    opencv: Optional[str],
    threads: Optional[int],
    leaked: Tuple[str, ...],
    made_by: Dict[str, Any],
) -> None:
    """Run one sequence and write its result, whole or not at all, and beside it what VOT's form has no place for.

    That is the time of each frame, the boxes the target was lost with, whether the sequence calibrated the engines, and
    what the result was made by.

    Raises:
        PipelineError: of any kind; nothing is written then.
    """
    with open_follower(engines, opencv, threads) as follower:
        lap = follow(follower, sequence, protocol)
    notes = {
        "unit": "ns",
        "window": "tracker call alone: start or update, image decoding outside",
        "frames": lap.times_ns,
        "lost": {index: str(box) if box else None for index, box in lap.lost.items()},
        LEAKED: sequence.name in leaked,
        KEY: of_sequence(made_by, sequence),
    }
    write_text(beside(out, tracker, sequence.name), json.dumps(notes) + "\n")
    write(result_path(out / "results", tracker, sequence.name), lap.entries)
    log.info("%s: %d frames, %d failures", sequence.name, len(lap.entries), len(lap.lost))


def follow(follower: Follower, sequence: Sequence, protocol: Protocol) -> Lap:
    """The state machine of the protocol.

    Raises:
        ArtifactError: an image is unreadable or of another size, or a box to start with is no box in its frame.
    """
    lap = Lap()
    next_start = 0
    frames = tqdm(range(len(sequence)), desc=sequence.name, unit="frame", leave=False)
    with frames as progress, named(sequence, lap.entries):
        for index in progress:
            if index < next_start:
                lap.entries.append(SKIPPED)
                lap.times_ns.append(None)
                continue
            frame = sequence.frame(index)
            started_ns = time.perf_counter_ns()
            if index == next_start:
                follower.start(frame, sequence.start_box(index))
                lap.times_ns.append(time.perf_counter_ns() - started_ns)
                lap.entries.append(STARTED)
                continue
            box = follower.update(frame)
            lap.times_ns.append(time.perf_counter_ns() - started_ns)
            if box is not None and _overlaps(box, sequence.polygon(index), frame):
                lap.entries.append(box)
            else:
                lap.entries.append(FAILED)
                lap.lost[index] = box
                next_start = index + protocol.skip_frames
                progress.set_postfix(failures=len(lap.lost))
    return lap


def tracker_name(engines: Optional[Path], opencv: Optional[str]) -> str:
    """The name of the results: MODEL-BACKEND-PRECISION, or OpenCV-NAME."""
    if engines is None:
        return f"OpenCV-{opencv}"
    return f"{engines.resolve().parents[1].name}-{engines.resolve().name}"


def _overlaps(box: BoundingBox, truth: Array, frame: Array) -> bool:
    if plainly_overlap(box, truth, (frame.shape[1], frame.shape[0])):
        return True
    region = box_polygon(np.array([[box.x, box.y, box.width, box.height]]))
    return bool(raster_overlap(region, truth[None], (frame.shape[1], frame.shape[0]))[0] > 0)
