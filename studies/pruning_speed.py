"""Search graphs of several models in turns: ``python -m studies.pruning_speed --engines A B ...``; docs/pruning.md.

One run of each a turn on one thread, so that whatever else the machine does meets all of them alike. Medians of the
wall clock and of the processor, and of the ratios to the first of the same turn.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from siamtrt import ModelCard, cli, documents
from siamtrt.card import FILE_NAME
from siamtrt.environment import describe
from siamtrt.libraries.onnxruntime import open_session
from siamtrt.work import macs

_WARM_UP = 3


def main(options: argparse.Namespace) -> None:
    """Time, write every sample, and print a line a model."""
    sessions = [open_session(folder / "search.onnx", threads=1) for folder in options.engines]
    rows: list[dict[str, Any]] = [
        {"name": _name(folder), "macs": macs(onnx.load(str(folder / "search.onnx"))), "wall_ms": [], "processor_ms": []}
        for folder in options.engines
    ]
    rng = np.random.default_rng(0)
    for turn in range(_WARM_UP + options.turns):
        for row, session in zip(rows, sessions, strict=True):
            (crop,) = session.get_inputs()
            feed = {crop.name: (255 * rng.random(crop.shape)).astype(np.float32)}
            wall, processor = time.perf_counter_ns(), time.process_time_ns()
            session.run(None, feed)
            if turn >= _WARM_UP:
                row["processor_ms"].append((time.process_time_ns() - processor) / 1e6)
                row["wall_ms"].append((time.perf_counter_ns() - wall) / 1e6)
    first = rows[0]["processor_ms"]
    for row in rows:
        ratios = [own / whole for own, whole in zip(row["processor_ms"], first, strict=True)]
        row["ratio"] = statistics.median(ratios)
        low, high = np.percentile(ratios, [25, 75])
        times = [statistics.median(row[kind]) for kind in ("processor_ms", "wall_ms")]
        print(  # noqa: T201
            f"{row['name']:44} work {row['macs'] / rows[0]['macs']:.3f}, processor {times[0]:8.2f} ms, "
            f"{row['ratio']:.3f} of the first ({low:.3f} to {high:.3f}), wall {times[1]:.2f} ms"
        )
    if options.out:
        documents.write(options.out, {"rows": rows, "environment": describe(), "threads": 1}, indent=None)


def _name(folder: Path) -> str:
    """Model, variant and engines; the folder's name where there is no card."""
    return f"{ModelCard.load(folder).title} {folder.name}" if (folder / FILE_NAME).is_file() else folder.name


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.pruning_speed", "Time the search graphs of several models in turns.")
    arguments.add_argument("--engines", type=Path, nargs="+", required=True, help="of ONNX Runtime; the first is whole")
    arguments.add_argument("--turns", type=cli.count, default=60, help="that the medians are of")
    arguments.add_argument("--out", type=Path, help="a JSON file with every sample")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
