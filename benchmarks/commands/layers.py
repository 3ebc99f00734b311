"""``python -m benchmarks layers``: profile every engine of a folder, layer by layer, in a run of its own."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.evaluation.options import declare
from benchmarks.profiling.layers.profile import profile
from benchmarks.profiling.layers.tables import summary
from benchmarks.profiling.speed.conditions import warn_before
from siamtrt import cli


def add_arguments(parser: argparse.ArgumentParser) -> None:
    declare(parser, "engines", "threads", required=["engines"])
    parser.add_argument("--runs", type=int, default=50, help="runs that the medians are of")
    parser.add_argument("--out", type=Path, required=True, help="the report, a JSON file")
    cli.add_json(parser)


def main(options: argparse.Namespace) -> None:
    """Profile, write the report, and print it by layer type."""
    warn_before()
    report = profile(options.engines, options.runs, options.threads)
    report.save(options.out)
    cli.show(options, summary(report), report)
