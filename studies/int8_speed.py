"""Time graphs of two engine folders: ``python -m studies.int8_speed FP32 INT8 THREADS GRAPH ...``.

Wall-clock medians of ONNX Runtime in one process, in blocks that alternate, so that a busy machine meets both alike.
One session is open at a time: two thread pools would wait on each other's cores.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import numpy as np

from siamtrt.libraries.onnxruntime import open_session

_BLOCKS, _RUNS = 3, 8


def main(first: Path, second: Path, threads: int, graphs: list[str]) -> None:
    """Print a line for each graph."""
    for graph in graphs:
        times: list[list[float]] = [[], []]
        for _ in range(_BLOCKS):
            for folder, taken in zip((first, second), times):
                taken += _block_ms(folder / f"{graph}.onnx", threads)
        one, two = (statistics.median(taken) for taken in times)
        print(f"{graph}: {one:.2f} ms, {two:.2f} ms, {one / two:.2f}x, {threads} threads")  # noqa: T201


def _block_ms(path: Path, threads: int) -> list[float]:
    session, rng = open_session(path, threads=threads), np.random.default_rng(0)
    feed = {spec.name: rng.random(spec.shape, np.float32) * 255 for spec in session.get_inputs()}
    taken: list[float] = []
    for _ in range(2 + _RUNS):
        started_ns = time.perf_counter_ns()
        session.run(None, feed)
        taken.append((time.perf_counter_ns() - started_ns) / 1e6)
    return taken[2:]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
