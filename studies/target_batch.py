"""Several targets in one batch against a tracker each, in turns in one run: ``python -m studies.target_batch --help``.

Both ways follow the same targets through the same clip; frame by frame each has its turn, the first one changing, so
that whatever else the machine does meets both alike. The ratio is the median over the frames of their two times.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict, astuple, replace
from pathlib import Path
from typing import Callable

from runtime.followed import update_all
from runtime.open_engines import open_locators
from runtime.tracker import Tracker, TrackerState
from sequences.layouts import open_sequences
from siamtrt import Array, BoundingBox, Manifest, ModelCard, cli
from siamtrt.environment import describe
from siamtrt.files import write_text

_WARM_UP = 5
_APART_PX = 8.0


def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    video = open_sequences(options.clip)[0]
    boxes = _boxes(video.start_box(0), options.targets)
    ways: dict[str, Callable[[Array], list[TrackerState]]] = {}
    for name, engines in (("one after the other", options.single), ("in a batch", options.batched)):
        trackers = [Tracker(locator) for locator in open_locators(engines, len(boxes), threads=options.threads)]
        for tracker, box in zip(trackers, boxes):
            tracker.start(video.frame(0), box)
        ways[name] = _update(trackers)
    samples: dict[str, list[float]] = {name: [] for name in ways}
    apart_px = 0.0
    for index in range(1, min(len(video), options.frames)):
        frame, states = video.frame(index), {}
        for name in list(ways)[:: 1 if index % 2 else -1]:
            started_ns = time.perf_counter_ns()
            states[name] = ways[name](frame)
            samples[name].append((time.perf_counter_ns() - started_ns) / 1e6)
        first, second = states.values()
        apart_px = max([apart_px, *(_apart_px(a.box, b.box) for a, b in zip(first, second))])
    kept = [column[_WARM_UP:] for column in samples.values()]
    ratio = statistics.median(single / batch for single, batch in zip(*kept))
    medians = ", ".join(f"{name} {statistics.median(column[_WARM_UP:]):.1f} ms" for name, column in samples.items())
    name = ModelCard.load(options.single).name
    print(f"{name}, {len(boxes)} targets: {medians}, ratio {ratio:.2f}, boxes at most {apart_px:.3f} px apart")  # noqa: T201
    if options.out:
        document = {"model": name, "targets": len(boxes), "threads": options.threads, "ratio": ratio, "ms": samples}
        document["environment"] = describe()
        document["engines_manifest"] = asdict(Manifest.load(options.batched, stage="engines"))
        write_text(options.out, json.dumps({"command": cli.command_line("studies.target_batch"), **document}) + "\n")


def _boxes(first: BoundingBox, count: int) -> list[BoundingBox]:
    """The target's box and others beside it, so that each has crops of its own."""
    return [replace(first, x=first.x + number * _APART_PX, y=first.y + number * _APART_PX) for number in range(count)]


def _update(trackers: list[Tracker]) -> Callable[[Array], list[TrackerState]]:
    return lambda frame: update_all(trackers, frame)


def _apart_px(one: BoundingBox, other: BoundingBox) -> float:
    return float(max(abs(a - b) for a, b in zip(astuple(one), astuple(other))))


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.target_batch", "Time several targets in a batch and one after the other.")
    arguments.add_argument("--single", type=Path, required=True, help="engines of a model, for one target")
    arguments.add_argument("--batched", type=Path, required=True, help="engines built with --targets")
    arguments.add_argument("--clip", type=Path, required=True, help="a sequence in any layout")
    arguments.add_argument("--targets", type=cli.count, default=4)
    arguments.add_argument("--frames", type=cli.count, default=100)
    arguments.add_argument("--threads", type=cli.count, default=2)
    arguments.add_argument("--out", type=Path, help="a JSON file with every sample")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
