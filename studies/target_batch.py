"""Several targets one after the other, beside each other and in a batch: ``python -m studies.target_batch --help``.

Each way follows the same targets through the same clip in a process of its own, since threads that one has at work or
asleep would change the times of the others. They take turns of a few frames, the first one changing, so that whatever
else the machine does meets all alike. A ratio is the median over the frames of two ways' times.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict, astuple, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from runtime.followed import update_all
from runtime.open_engines import open_locators
from runtime.tracker import Tracker
from sequences.layouts import open_sequences
from siamtrt import Array, BoundingBox, Manifest, ModelCard, cli
from siamtrt.environment import describe
from siamtrt.files import write_text

IN_TURN, BESIDE, BATCH = "one after the other", "beside each other", "in a batch"
_TURN, _WARM_UP = 6, 6
_APART_PX = 8.0


def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    ways = {IN_TURN: options.single, BESIDE: options.single}
    if options.batched:
        ways[BATCH] = options.batched
    video = open_sequences(options.clip)[0]
    count = min(len(video), options.frames)
    samples: dict[str, list[float]] = {way: [] for way in ways}
    boxes: dict[str, list[list[tuple[float, ...]]]] = {way: [] for way in ways}
    with_children = get_context("spawn")
    pipes: dict[str, Connection] = {}
    for way, engines in ways.items():
        pipes[way], end = with_children.Pipe()
        process = with_children.Process(target=_follow, args=(end, way, engines, options), daemon=True)
        process.start()
        pipes[way].recv()
    for turn, first in enumerate(range(1, count, _TURN)):
        shift = turn % len(ways)
        for way in [*ways][shift:] + [*ways][:shift]:
            pipes[way].send(range(first, min(count, first + _TURN)))
            times_ms, found = pipes[way].recv()
            samples[way] += times_ms
            boxes[way] += found
    kept = {way: column[_WARM_UP:] for way, column in samples.items()}
    name = ModelCard.load(options.single).name
    ratios = {way: statistics.median(a / b for a, b in zip(kept[IN_TURN], kept[way], strict=True)) for way in ways}
    print(f"{name}, {options.targets} targets, {options.threads} threads")  # noqa: T201
    for way, column in kept.items():
        apart_px = float(np.abs(np.array(boxes[way]) - np.array(boxes[IN_TURN])).max())
        medians = f"{statistics.median(column):6.1f} ms, {ratios[way]:.2f} times as fast"
        print(f"{way:20} {medians}, boxes at most {apart_px:.3f} px apart")  # noqa: T201
    if options.out:
        document: dict[str, object] = {
            "model": name,
            "targets": options.targets,
            "threads": options.threads,
            "ratios": ratios,
        }
        document.update(ms=samples, environment=describe())
        document["engines_manifest"] = asdict(Manifest.load(options.single, stage="engines"))
        if options.batched:
            document["batched_manifest"] = asdict(Manifest.load(options.batched, stage="engines"))
        write_text(options.out, json.dumps({"command": cli.command_line("studies.target_batch"), **document}) + "\n")


def _follow(pipe: Connection, way: str, engines: Path, options: argparse.Namespace) -> None:
    """Follow the targets through the frames that are asked for, until nobody asks."""
    video = open_sequences(options.clip)[0]
    boxes = _boxes(video.start_box(0), options.targets)
    opened = [1] * len(boxes) if way == IN_TURN else [len(boxes)]
    locators = [one for count in opened for one in open_locators(engines, count, threads=options.threads)]
    trackers = [Tracker(locator) for locator in locators]
    for tracker, box in zip(trackers, boxes, strict=True):
        tracker.start(video.frame(0), box)
    pipe.send("ready")
    while True:
        try:
            frames = [video.frame(index) for index in pipe.recv()]
        except EOFError:
            return
        answers = [_timed(trackers, frame) for frame in frames]
        pipe.send(([ms for ms, _ in answers], [found for _, found in answers]))


def _timed(trackers: list[Tracker], frame: Array) -> tuple[float, list[tuple[float, ...]]]:
    started_ns = time.perf_counter_ns()
    states = update_all(trackers, frame)
    return (time.perf_counter_ns() - started_ns) / 1e6, [astuple(state.box) for state in states]


def _boxes(first: BoundingBox, count: int) -> list[BoundingBox]:
    """The target's box and others beside it, so that each has crops of its own."""
    return [replace(first, x=first.x + number * _APART_PX, y=first.y + number * _APART_PX) for number in range(count)]


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.target_batch", "Time several targets in turn, beside each other and in a batch.")
    arguments.add_argument("--single", type=Path, required=True, help="engines of a model, for one target")
    arguments.add_argument("--batched", type=Path, help="engines built with --targets")
    arguments.add_argument("--clip", type=Path, required=True, help="a sequence in any layout")
    arguments.add_argument("--targets", type=cli.count, default=4)
    arguments.add_argument("--frames", type=cli.count, default=100)
    arguments.add_argument("--threads", type=cli.count, default=2)
    arguments.add_argument("--out", type=Path, help="a JSON file with every sample")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
