"""``python -m runtime track``: follow objects through a video and write down where they are."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import logging
from collections.abc import Sequence
from pathlib import Path

from runtime import loop
from runtime.annotate import VideoSink
from runtime.draw_target import draw_target
from runtime.followed import Followed
from runtime.frames import Frame, as_bgr
from runtime.open_engines import DECODES, open_locators
from runtime.policies.parse import HELP
from runtime.readahead import ReadAhead
from runtime.results import LINES_NAME, TEXT_NAME, LineSink, as_json, as_text
from runtime.sources import KINDS, Source, open_source
from runtime.tracker import Tracker
from siamtrt import BoundingBox, UsageError, cli
from siamtrt.libraries.cuda import WAITS
from siamtrt.progress import progress_bar

VIDEO_NAME = "annotated.mp4"

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--engines", type=Path, required=True, help="folder written by python -m engines")
    parser.add_argument("--source", required=True, help=KINDS)
    parser.add_argument("--init", action="append", help="X,Y,W,H in the first frame; once a target; drawn if left out")
    parser.add_argument("--out", type=Path, required=True, help="folder for boxes.txt, boxes.jsonl, annotated.mp4")
    parser.add_argument("--annotate", action="store_true", help="write the annotated video too")
    parser.add_argument("--threads", type=cli.count, help="of the CPU backend; all cores by default")
    parser.add_argument("--wait", choices=WAITS, help="for the GPU: on a core or asleep; by default as CUDA likes")
    parser.add_argument("--policy", help=f"where a model with exits stops: {HELP}")
    parser.add_argument("--decode", choices=DECODES, help="where the box is chosen; by default the GPU on TensorRT")


def main(options: argparse.Namespace) -> None:
    """Track, and print the folder."""
    boxes = [BoundingBox.parse(text) for text in options.init or ()]
    source = open_source(options.source)
    backend = {name: getattr(options, name) for name in ("threads", "decode", "wait", "policy")}
    track(options.engines, source, boxes, options.out, annotate=options.annotate, **backend)
    print(options.out)  # noqa: T201


def track(
    engines: Path,
    source: Source,
    boxes: Sequence[BoundingBox],
    out: Path,
    *,
    annotate: bool = False,
    threads: int | None = None,
    decode: str | None = None,
    wait: str | None = None,
    policy: str | None = None,
) -> None:
    """Follow each of *boxes* through *source*.

    A frame that cannot be read leaves a line of ``nan`` and the target where it was. Ctrl-C and errors keep what was
    tracked before.

    Args:
        engines: of the model.
        source: its first frame, which must be readable, is the one the boxes belong to.
        boxes: the targets, as far as they lie in the frame; the user draws one where this is empty.
        out: folder of the results; with several targets one folder each, ``target1``, ``target2``, ...
        annotate: write ``annotated.mp4``.
        threads: of the CPU backend; all cores when None.
        decode: where the box is chosen, see :class:`runtime.open_engines.Opening`.
        wait: how to wait for the GPU, see the same class.
        policy: where a model with exits stops, see the same class.

    Raises:
        PipelineError: of any kind; the message says what to do.
    """

    def open_trackers(count: int) -> list[Tracker]:
        locators = open_locators(engines, count, threads=threads, decode=decode, wait=wait, policy=policy)
        return [Tracker(locator) for locator in locators]

    with contextlib.ExitStack() as stack:
        frames = stack.enter_context(ReadAhead(source.frames()))
        first = next(frames, None)
        if first is None:
            raise UsageError("the first frame cannot be read", hint="start the source at a readable frame")
        followed = stack.enter_context(Followed(open_trackers))
        targets = [_inside(box, first) for box in boxes] or [draw_target(as_bgr(first), out)]
        followed.make_room(len(targets))
        for box in targets:
            followed.add(box)
        folders = [out] if len(targets) == 1 else [out / f"target{number}" for number in range(1, len(targets) + 1)]
        sinks: list[loop.Sink] = [LineSink(folders, TEXT_NAME, as_text), LineSink(folders, LINES_NAME, as_json)]
        if annotate:
            sinks.append(VideoSink(out / VIDEO_NAME, source.fps))
        for sink in sinks:
            stack.callback(sink.close)
        every = itertools.chain([first], frames)
        loop.run(
            stack.enter_context(progress_bar(every, total=source.count, desc="track", unit="frame")), followed, sinks
        )


def _inside(box: BoundingBox, frame: Frame) -> BoundingBox:
    """The part of *box* that lies in *frame*; one without such a part is left to the tracker to refuse."""
    height, width = frame.shape[:2]
    part = box.clipped(width, height)
    if part == box or not part.area:
        return box
    log.info("the box %s reaches out of the frame of %dx%d; its part inside is %s", box, width, height, part)
    return part
