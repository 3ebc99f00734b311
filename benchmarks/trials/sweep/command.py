"""``python -m benchmarks sweep``: build and measure every mix of precisions, and draw which are worth having."""

from __future__ import annotations

import argparse
import itertools
import json
import logging
from pathlib import Path
from typing import Any, Dict, List

from tqdm import tqdm

from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.reports.bench import rendered
from benchmarks.reports.drawing.page import figure
from benchmarks.reports.job import claim, truth_sha256
from benchmarks.trials.sweep.measure import Sweep, measured
from benchmarks.trials.sweep.page import published, sweep_page, table
from benchmarks.trials.sweep.row import Row, as_document
from sequences.annotated import load_sequences
from sequences.sequence import Sequence
from siamtrt import GraphPrecisions, Manifest, Precision, UsageError, cli
from siamtrt.card import ROLES
from siamtrt.cli import command_line
from siamtrt.environment import describe
from siamtrt.files import sha256, write_text
from siamtrt.manifest import FILE_NAME

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    words = [precision.value for precision in Precision]
    parser.add_argument("--onnx", type=Path, required=True, help="folder written by python -m export")
    parser.add_argument("--ranges", type=Path, help="folder written by python -m calibration; without it no INT8")
    parser.add_argument("--backend", default="onnxruntime", help="as python -m engines takes it")
    parser.add_argument("--precisions", nargs="+", choices=words, default=["fp32", "fp16", "int8"], help="to mix")
    parser.add_argument("--sequences", type=Path, help="folder of NAME/color, NAME/groundtruth.txt; a rendered clip")
    parser.add_argument("--only", nargs="+", default=[], help="names of the sequences to run; all by default")
    parser.add_argument("--annotations", type=Path, help="PySOT's JSON; made from the sequences by default")
    parser.add_argument("--protocol", default="vot2018", help="vot2016, vot2018, vot2019, or the path of a .json file")
    parser.add_argument("--threads", type=cli.count, help="of the CPU backend; all cores by default")
    parser.add_argument("--allow-leak", action="store_true", help="run on sequences that calibrated the engines")
    parser.add_argument("--out", type=Path, required=True, help="engines, reports, sweep.json, sweep.html; resumes")


def main(options: argparse.Namespace) -> None:
    """Measure what is not measured yet, and print the table.

    Raises:
        UsageError: no mix could be measured; the reasons are kept.
    """
    Protocol.load(options.protocol)  # or each mix would refuse it after it was built
    sweep = Sweep(
        onnx=options.onnx,
        sequences=options.sequences or rendered(options.out / "sequences"),
        only=tuple(options.only),
        annotations=options.annotations,
        protocol=options.protocol,
        ranges=options.ranges,
        backend=options.backend,
        threads=options.threads,
        leak_allowed=options.allow_leak,
        out=options.out,
    )
    chosen = load_sequences(sweep.sequences, sweep.only)
    about = _about(sweep, chosen)
    rows: List[Row] = []
    words = itertools.product(options.precisions, repeat=len(ROLES))
    mixes = [GraphPrecisions(dict(zip(ROLES, map(Precision, mix)))) for mix in words]
    log.info("%d mixes; what runs prints into %s", len(mixes), sweep.out / "logs")
    for mix in tqdm(mixes, desc="sweep", unit="mix"):
        rows.append(measured(sweep, mix, chosen, mixes[0].label))
        log.info("%s: %s", mix.label, rows[-1].skipped or f"EAO {figure(rows[-1].eao)}, {figure(rows[-1].fps, 1)} FPS")
        write_text(sweep.out / "sweep.json", json.dumps(as_document(rows, about), indent=1) + "\n")
    write_text(sweep.out / "sweep.html", sweep_page(rows, about, published()))
    print(table(rows))  # noqa: T201
    print(sweep.out / "sweep.html")  # noqa: T201
    if all(row.skipped for row in rows):
        raise UsageError(
            f"no mix was measured; {rows[0].label}: {rows[0].skipped}",
            hint=f"what each of them said lies in {sweep.out / 'logs'}",
        )


def _about(sweep: Sweep, sequences: List[Sequence]) -> Dict[str, Any]:
    """Take the folder, and say what the rows are of."""
    manifest = Manifest.load(sweep.onnx, stage="export")
    request: Dict[str, Any] = {
        "onnx": sha256(sweep.onnx / FILE_NAME),
        "backend": sweep.backend,
        "protocol": sweep.protocol,
        "annotations": sha256(sweep.annotations) if sweep.annotations else None,
        "sequences": {sequence.name: truth_sha256(sequence) for sequence in sequences},
        "threads": sweep.threads,
    }
    if sweep.ranges:  # mixes that were skipped for want of ranges can be made up for
        request["ranges"] = sha256(sweep.ranges / FILE_NAME)
    claim(sweep.out, request)
    frames = {sequence.name: len(sequence) for sequence in sequences}
    return {
        "model": manifest.settings.get("model") or sweep.onnx.resolve().parent.name,
        "command": command_line("benchmarks"),
        "environment": describe(),
        "request": request,
        "frames": frames,
    }
