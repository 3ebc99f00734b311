"""What an update of several models costs, in turns in one run: ``python -m studies.update_cost --engines A B ...``.

Every model tracks the same clip on one thread; frame by frame each has its turn, so that whatever else the machine does
meets all of them alike. Milliseconds of the wall clock and of the processor, medians.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

from runtime.tracker import Tracker
from sequences.layouts import open_sequences
from siamtrt import Manifest, ModelCard, UsageError, cli, documents
from siamtrt.environment import describe
from siamtrt.files import read_json

STUDY = "studies.update_cost"
_WARM_UP = 5


def main(options: argparse.Namespace) -> None:
    """Measure and print a line a model, each with its ratio to the first.

    Raises:
        UsageError: the clip has no box to start with, or no update is left behind the warm-up.
    """
    video = open_sequences(options.clip, unlabelled_ok=False)[0]
    if len(video) < _WARM_UP + 2:
        problem = f"{options.clip} has {len(video)} frames; the first and {_WARM_UP} updates after it are not timed"
        raise UsageError(problem, hint="a longer clip, as of python -m benchmarks clip --out FOLDER")
    trackers = [Tracker.open(engines, threads=1) for engines in options.engines]
    names = [f"{ModelCard.load(engines).title}, {engines}" for engines in options.engines]
    wall_ms: list[list[float]] = [[] for _ in names]
    processor_ms: list[list[float]] = [[] for _ in names]
    for tracker in trackers:
        tracker.start(video.frame(0), video.start_box(0))
    for index in range(1, len(video)):
        frame = video.frame(index)
        for number, tracker in enumerate(trackers):
            started, started_processor = time.perf_counter_ns(), time.process_time_ns()
            tracker.update(frame)
            processor_ms[number].append((time.process_time_ns() - started_processor) / 1e6)
            wall_ms[number].append((time.perf_counter_ns() - started) / 1e6)
    for tracker in trackers:
        tracker.close()
    if options.out:
        manifests = zip(names, (Manifest.load(engines, stage="engines") for engines in options.engines), strict=True)
        files = {f"{name}: {file}": digest for name, manifest in manifests for file, digest in manifest.files.items()}
        document = {
            "command": cli.command_line(STUDY),
            "environment": describe(),
            "engines_manifest": {"files": files},
            "warm_up": _WARM_UP,
            "rows": {
                name: {"wall_ms": wall_ms[row], "processor_ms": processor_ms[row]} for row, name in enumerate(names)
            },
        }
        documents.write(options.out, document, indent=None)
    first = statistics.median(processor_ms[0][_WARM_UP:])
    for row, name in enumerate(names):
        processor = statistics.median(processor_ms[row][_WARM_UP:])
        wall = statistics.median(wall_ms[row][_WARM_UP:])
        print(f"{wall:7.2f} ms, processor {processor:7.2f} ms, {processor / first:.2f} of the first  {name}")  # noqa: T201


def medians(path: Path) -> list[float]:
    """Median milliseconds of the processor that an update of each model took, in the order of their engines.

    Args:
        path: the file that this command wrote.
    """
    return [statistics.median(samples["processor_ms"]) for samples in read_json(path)["rows"].values()]


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser(STUDY, "Time an update of several models in turns.")
    arguments.add_argument("--engines", type=Path, nargs="+", required=True)
    arguments.add_argument("--clip", type=Path, required=True, help="a sequence in any layout")
    arguments.add_argument("--out", type=Path, help="a JSON file with every sample")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
