"""``python -m benchmarks vot``: run a tracker under the reset-based protocol and write its raw results."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from benchmarks.evaluation.options import RunOptions, declare
from benchmarks.evaluation.plan import Plan, chosen_opencv, declare_plan
from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.evaluation.vot.results import result_path
from benchmarks.evaluation.vot.run import run_sequence
from benchmarks.trials.place import declare_place, opened
from benchmarks.trials.spread import spread


def add_arguments(parser: argparse.ArgumentParser) -> None:
    declare_plan(parser)
    declare_place(parser, "sequences")
    declare(parser, "protocol")
    parser.add_argument("--out", type=Path, required=True, help="results go to OUT/results, times to OUT/times")


def main(options: argparse.Namespace) -> None:
    """Run what is not there yet, and print the folder of the results."""
    run, protocol = RunOptions.of(options), Protocol.load(options.protocol)
    sequences = run.load(options.sequences)
    opencv = chosen_opencv(options)
    plan = Plan.of(run, sequences, options.out, protocol.rules, options.tracker, opencv)
    work = partial(run_sequence, plan=plan, protocol=protocol)
    waiting = plan.waiting(sequences, result_path)
    with opened(options, options.out) as place:
        list(spread(work, waiting, place.many, "vot"))
    print(options.out / "results")
