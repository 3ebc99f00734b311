"""``python -m runtime track``: follow objects through a video and write down where they are."""

from __future__ import annotations

import argparse
import contextlib
import logging
import time
from pathlib import Path
from typing import List, Optional, Sequence

import cv2
from tqdm import tqdm

from runtime.annotate import GREEN, RED, VideoWriter, draw_box
from runtime.open_engines import DECODES, open_matchers
from runtime.readahead import ReadAhead
from runtime.results import ResultWriter
from runtime.sources import Source, open_source
from runtime.tracker import Tracker, TrackerState
from siamtrt import Array, BoundingBox, UsageError, cli

VIDEO_NAME = "annotated.mp4"

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--engines", type=Path, required=True, help="folder written by python -m engines")
    parser.add_argument("--source", required=True, help="a video, a folder of images, camera:N or gst:PIPELINE")
    parser.add_argument("--init", action="append", help="X,Y,W,H in the first frame; once a target; drawn if left out")
    parser.add_argument("--out", type=Path, required=True, help="folder for boxes.txt, boxes.jsonl, annotated.mp4")
    parser.add_argument("--annotate", action="store_true", help="write the annotated video too")
    parser.add_argument("--threads", type=cli.count, help="of the CPU backend; all cores by default")
    parser.add_argument("--decode", choices=DECODES, help="where the box is chosen; by default the GPU on TensorRT")


def main(options: argparse.Namespace) -> None:
    """Track, and print the folder."""
    boxes = [BoundingBox.parse(text) for text in options.init or ()]
    source = open_source(options.source)
    settings = {"annotate": options.annotate, "threads": options.threads, "decode": options.decode}
    track(options.engines, source, boxes, options.out, **settings)
    print(options.out)  # noqa: T201


def track(
    engines: Path,
    source: Source,
    boxes: Sequence[BoundingBox],
    out: Path,
    *,
    annotate: bool = False,
    threads: Optional[int] = None,
    decode: Optional[str] = None,
) -> None:
    """Follow each of *boxes* through *source*.

    A frame that cannot be read leaves a line of ``nan`` and the target where it was. Ctrl-C and errors keep what was
    tracked before.

    Args:
        engines: of the model.
        source: its first frame, which must be readable, is the one the boxes belong to.
        boxes: the targets; the user draws one where this is empty.
        out: folder of the results; with several targets one folder each, ``target1``, ``target2``, ...
        annotate: write ``annotated.mp4``.
        threads: see :meth:`Tracker.open`.
        decode: likewise.

    Raises:
        PipelineError: of any kind; the message says what to do.
    """
    with contextlib.ExitStack() as stack:
        frames = stack.enter_context(ReadAhead(source.frames()))
        first = next(frames, None)
        if first is None:
            raise UsageError("the first frame cannot be read", hint="start the source at a readable frame")
        targets = list(boxes) or [_drawn(first)]
        folders = [out] if len(targets) == 1 else [out / f"target{number}" for number in range(1, len(targets) + 1)]
        matchers = open_matchers(engines, len(targets), threads=threads, decode=decode)
        trackers = [stack.enter_context(Tracker(matcher)) for matcher in matchers]
        states = [tracker.start(first, box) for tracker, box in zip(trackers, targets)]
        writers = [stack.enter_context(ResultWriter(folder)) for folder in folders]
        video = stack.enter_context(VideoWriter(out / VIDEO_NAME, source.fps)) if annotate else None
        started_ns = time.perf_counter_ns()
        _record(first, states, writers, video)
        progress = stack.enter_context(tqdm(frames, total=source.count, initial=1, desc="track", unit="frame"))
        try:
            for frame in progress:
                if frame is None:
                    _record_gap(writers)
                    continue
                states = [tracker.update(frame) for tracker in trackers]
                _record(frame, states, writers, video)
        finally:
            seconds = (time.perf_counter_ns() - started_ns) / 1e9
            count = writers[0].frames
            log.info("tracked %d frames in %.1f s, %.1f FPS with reading and writing", count, seconds, count / seconds)


def _record(
    frame: Array, states: List[TrackerState], writers: List[ResultWriter], video: Optional[VideoWriter]
) -> None:
    for state, writer in zip(states, writers):
        writer.add(state)
    if video is not None:
        canvas = frame.copy()
        for state in states:
            label = "" if state.score is None else f"{state.score:.2f}"
            draw_box(canvas, state.box, RED if state.lost else GREEN, label)
        video.write(canvas)


def _record_gap(writers: List[ResultWriter]) -> None:
    for writer in writers:
        writer.add(None)


def _drawn(frame: Array) -> BoundingBox:
    """Let the user draw the target.

    Raises:
        UsageError: there is no display, or nothing was drawn.
    """
    try:
        x, y, width, height = cv2.selectROI("draw the target, then press Enter", frame)
        cv2.destroyAllWindows()
    except cv2.error as error:
        raise UsageError("there is no display to draw the target on", hint="--init X,Y,W,H") from error
    if width <= 0 or height <= 0:
        raise UsageError("no target was drawn", hint="--init X,Y,W,H")
    return BoundingBox(float(x), float(y), float(width), float(height))
