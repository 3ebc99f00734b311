"""``python -m benchmarks evaluate``: measures of one or many trackers from their raw results. No images are needed."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from benchmarks.evaluation.leaks import conclude
from benchmarks.evaluation.options import RunOptions, declare
from benchmarks.evaluation.vot.annotations import load
from benchmarks.evaluation.vot.measures import measure, table
from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.evaluation.vot.results import trackers
from benchmarks.trials.spread import spread, where
from siamtrt import cli


def add_arguments(parser: argparse.ArgumentParser) -> None:
    declare(parser, "protocol", "only", also=["--sequences"])
    parser.add_argument("--annotations", type=Path, required=True, help="PySOT's JSON, or a folder of sequences")
    parser.add_argument("--results", type=Path, required=True, help="folder of TRACKER/baseline/SEQUENCE")
    parser.add_argument("--out", type=Path, help="write the measures as JSON")
    parser.add_argument("--jobs", type=cli.count, default=1, help="trackers evaluated at a time")
    cli.add_json(parser)


def main(options: argparse.Namespace) -> None:
    """Evaluate, print a table, and write the JSON file if one is named."""
    protocol = Protocol.load(options.protocol)
    truths = load(options.annotations, protocol.tags, RunOptions.of(options).only)
    names = trackers(options.results)
    work = partial(measure, results=options.results, truths=truths, protocol=protocol)
    finished = dict(spread(work, names, where(options.jobs), "evaluate"))
    measures, run = {name: finished[name] for name in names}, options.results.resolve().parent
    cli.show(options, table(measures) + conclude(measures, protocol.name, run, truths, options.out), measures)
