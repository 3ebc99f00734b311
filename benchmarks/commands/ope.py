"""``python -m benchmarks ope``: run a tracker once through each sequence, and compare the trackers run so far."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from benchmarks.evaluation.leaks import conclude
from benchmarks.evaluation.ope.evaluate import evaluate, table
from benchmarks.evaluation.ope.results import result_path
from benchmarks.evaluation.ope.run import run_sequence
from benchmarks.evaluation.options import RunOptions
from benchmarks.evaluation.plan import Plan, chosen_opencv, declare_plan
from benchmarks.trials.place import declare_place, opened
from benchmarks.trials.spread import spread
from siamtrt import cli


def add_arguments(parser: argparse.ArgumentParser) -> None:
    declare_plan(parser)
    declare_place(parser, "sequences")
    parser.add_argument("--out", type=Path, required=True, help="OUT/results/TRACKER/NAME.txt, OUT/times, OUT/ope.json")
    cli.add_json(parser)


def main(options: argparse.Namespace) -> None:
    """Run what is not there yet, compare all trackers in the folder, print a table and write ``ope.json``."""
    run = RunOptions.of(options)
    sequences = run.load(options.sequences, gaps=True)
    opencv = chosen_opencv(options)
    if options.engines or opencv:
        plan = Plan.of(run, sequences, options.out, None, options.tracker, opencv)
        work = partial(run_sequence, plan=plan)
        waiting = plan.waiting(sequences, result_path)
        with opened(options, options.out) as place:
            list(spread(work, waiting, place.many, "ope"))
    out, measures = options.out, evaluate(options.out / "results", sequences)
    names = [sequence.name for sequence in sequences]
    cli.show(options, table(measures) + conclude(measures, "ope", out, names, out / "ope.json"), measures)
