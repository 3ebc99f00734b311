"""Search graphs of several models in turns: ``python -m studies.pruning_speed --engines A B ...``; docs/pruning.md.

One run of each a turn on one thread, so that whatever else the machine does meets all of them alike. Medians of the
wall clock and of the processor, and of the ratios to the first of the same precision in the same turn. With ``--int8``
each graph is timed in the 8-bit form of ``python -m engines`` too; every range there is -1 to 1, since the time of an
integer kernel does not depend on it.
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

from engines.graph import integer_nodes
from engines.onnxruntime.quantize import quantize
from siamtrt import ModelCard, cli, documents
from siamtrt.card import FILE_NAME
from siamtrt.environment import describe
from siamtrt.files import sha256
from siamtrt.libraries.onnxruntime import open_session
from siamtrt.ranges import Ranges, TensorRange
from siamtrt.work import macs

_WARM_UP = 3


def main(options: argparse.Namespace) -> None:
    """Time, write every sample, and print a line a model."""
    sessions, rows = [], []
    for precision in ("fp32", "int8") if options.int8 else ("fp32",):
        for folder in options.engines:
            model = onnx.load(str(folder / "search.onnx"))
            form = in_int8(model) if precision == "int8" else model
            sessions.append(open_session(form.SerializeToString(), threads=1))
            row: dict[str, Any] = {"name": _name(folder), "precision": precision, "macs": macs(model)}
            rows.append({**row, "wall_ms": [], "processor_ms": []})
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
    firsts = {row["precision"]: row["processor_ms"] for row in reversed(rows)}
    for row in rows:
        ratios = [own / whole for own, whole in zip(row["processor_ms"], firsts[row["precision"]], strict=True)]
        row["ratio"] = statistics.median(ratios)
        low, high = np.percentile(ratios, [25, 75])
        times = [statistics.median(row[kind]) for kind in ("processor_ms", "wall_ms")]
        print(  # noqa: T201
            f"{row['name']:40} {row['precision']} work {row['macs'] / rows[0]['macs']:.3f}, "
            f"processor {times[0]:8.2f} ms, {row['ratio']:.3f} of the first ({low:.3f} to {high:.3f}), "
            f"wall {times[1]:.2f} ms"
        )
    if options.out:
        document = {
            "command": cli.command_line("studies.pruning_speed"),
            "environment": describe(),
            "engines_manifest": {
                "files": {_name(folder): sha256(folder / "search.onnx") for folder in options.engines}
            },
            "threads": 1,
            "rows": rows,
        }
        documents.write(options.out, document, indent=None)


def in_int8(model: onnx.ModelProto) -> onnx.ModelProto:
    """*model* with every convolution that can in integers, and stand-ins for ranges: for its speed alone."""
    values = [value.name for value in model.graph.input] + [name for node in model.graph.node for name in node.output]
    stand_in = TensorRange(-1.0, 1.0, 1.0, "stand-in")
    return quantize(model, integer_nodes(model.graph), Ranges("", dict.fromkeys(values, stand_in)))


def _name(folder: Path) -> str:
    """Model, variant and engines; the folder's name where there is no card."""
    return f"{ModelCard.load(folder).title} {folder.name}" if (folder / FILE_NAME).is_file() else folder.name


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.pruning_speed", "Time the search graphs of several models in turns.")
    arguments.add_argument("--engines", type=Path, nargs="+", required=True, help="of ONNX Runtime; the first is whole")
    arguments.add_argument("--turns", type=cli.count, default=60, help="that the medians are of")
    arguments.add_argument("--int8", action="store_true", help="in 8 bits too")
    arguments.add_argument("--out", type=Path, help="a JSON file with every sample")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
