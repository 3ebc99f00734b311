"""A long run: ``python -m studies.faults.soak --engines E --clip DIR --frames 100000``. Does it leak or slow down?

The clip is followed back and forth, from files, as a camera would be for days; every pass takes a new target. Memory,
descriptors and threads of the process are read at the end of each of fifty parts, with the medians of its updates.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from runtime.tracker import Tracker
from sequences.layouts import open_sequences
from siamtrt import UsageError, cli
from siamtrt.progress import progress_bar
from studies.faults.record import Record

_PARTS = 50
_WARM = 5  # parts until caches and pools have their size


@dataclass(frozen=True)
class Part:
    """One part of the run.

    Attributes:
        frames: so far.
        memory_mib: resident.
        descriptors: open.
        threads: of Python and of the kernel's count of this process.
        update_ms: median of its updates, by the wall clock.
        processor_ms: the same by the processor's clock, which other work disturbs less.
    """

    frames: int
    memory_mib: float
    descriptors: int
    threads: int
    update_ms: float
    processor_ms: float


def main(options: argparse.Namespace) -> None:
    """Run, and print how the last fifth differs from the first one behind the warm-up.

    Raises:
        UsageError: fewer frames than parts.
    """
    if options.frames < _PARTS:
        raise UsageError(f"{options.frames} frames are no long run", hint=f"{_PARTS} or more")
    video = open_sequences(options.clip)[0]
    tracker, parts = Tracker.open(options.engines, threads=1), []
    there_and_back = [*range(len(video)), *range(len(video) - 2, 0, -1)]
    times: list[tuple[float, float]] = []
    with progress_bar(desc="soak", unit="frame", total=options.frames) as progress:
        for count in range(options.frames):
            index = there_and_back[count % len(there_and_back)]
            frame = video.frame(index)
            if count % len(there_and_back) == 0:
                tracker.start(frame, video.start_box(index))
            else:
                times.append(_timed(tracker, frame))
            progress.update()
            if (count + 1) % (options.frames // _PARTS) == 0:
                parts.append(_part(count + 1, times))
                times = []
    tracker.close()
    print(_summary(parts))  # noqa: T201
    entry = {**_drift(parts), "parts": [asdict(part) for part in parts]}
    Record(options.out, "studies.faults.soak", {"frames": options.frames}).keep("soak", entry, options.engines)


def _timed(tracker: Tracker, frame: np.ndarray) -> tuple[float, float]:
    started, started_processor = time.perf_counter_ns(), time.process_time_ns()
    tracker.update(frame)
    return (time.perf_counter_ns() - started) / 1e6, (time.process_time_ns() - started_processor) / 1e6


def _part(frames: int, times: list[tuple[float, float]]) -> Part:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    memory_mib = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    threads = max(threading.active_count(), len(os.listdir("/proc/self/task")))  # noqa: PTH208
    wall, processor = np.median(np.array(times), axis=0)
    return Part(frames, round(memory_mib, 2), descriptors, threads, round(float(wall), 4), round(float(processor), 4))


def _drift(parts: list[Part]) -> dict[str, float]:
    """What changed from the first parts behind the warm-up to the last ones."""
    first, last = parts[_WARM : _WARM + _PARTS // 5], parts[-_PARTS // 5 :]
    mean = {name: [np.mean([getattr(part, name) for part in some]) for some in (first, last)] for name in _NAMES}
    return {
        "memory_growth_mib": round(float(mean["memory_mib"][1] - mean["memory_mib"][0]), 3),
        "descriptors_growth": parts[-1].descriptors - parts[_WARM].descriptors,
        "threads_growth": parts[-1].threads - parts[_WARM].threads,
        "update_ratio": round(float(mean["update_ms"][1] / mean["update_ms"][0]), 4),
        "processor_ratio": round(float(mean["processor_ms"][1] / mean["processor_ms"][0]), 4),
    }


_NAMES = ("memory_mib", "update_ms", "processor_ms")


def _summary(parts: list[Part]) -> str:
    drift = _drift(parts)
    return (
        f"{parts[-1].frames} frames: memory {parts[_WARM].memory_mib:.1f} to {parts[-1].memory_mib:.1f} MiB "
        f"({drift['memory_growth_mib']:+.2f}), descriptors {drift['descriptors_growth']:+d}, "
        f"threads {drift['threads_growth']:+d}; update {drift['update_ratio']:.3f} of what it took, "
        f"processor {drift['processor_ratio']:.3f}"
    )


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.faults.soak", "Follow a clip for very long.")
    arguments.add_argument("--engines", type=Path, required=True, help="folder written by python -m engines")
    arguments.add_argument("--clip", type=Path, required=True, help="a sequence in any layout")
    arguments.add_argument("--frames", type=cli.count, default=100_000)
    arguments.add_argument("--out", type=Path, help="a JSON file of every part")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
