"""``python -m training.pruning rounds``: score, cut and distil, round by round; rerun the same command to resume."""

from __future__ import annotations

import argparse
from pathlib import Path

from siamtrt import UsageError, cli
from training.config import Config
from training.place import join
from training.pruning.commands.cut import add_order
from training.pruning.commands.score import add_scoring, job_of
from training.pruning.rounds import Plan, prune
from training.pruning.smaller import CUT_NAME, Order


def add_arguments(arguments: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    add_scoring(arguments)
    add_order(arguments)
    arguments.add_argument("--rounds", type=cli.count, default=3, help="how often to score, cut and distil")
    arguments.add_argument("--steps", type=int, default=150, help="of distillation after each round but the last")
    arguments.add_argument("--last-steps", type=int, default=600, help="of distillation after the last round")
    arguments.add_argument("--out", type=Path, required=True, help="folder for pruned.pth, pruning.json and curves")


def main(options: argparse.Namespace) -> None:
    """Prune, and print the path of the weights."""
    config = Config.load(options.config)
    plan = Plan(
        job=job_of(options),
        order=Order(macs=options.macs, multiple=options.multiple, variant=options.variant),
        rounds=options.rounds,
        steps=options.steps,
        last_steps=options.last_steps,
    )
    with join(config.device) as place:
        if place.world > 1:
            raise UsageError("pruning runs in one process", hint="start it without torchrun")
        prune(plan, config, options.data, options.out, place, cli.command_line("training.pruning"))
    print(options.out / CUT_NAME)
