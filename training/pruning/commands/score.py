"""``python -m training.pruning score``: what each channel of a checkpoint is worth to its maps; rerun to resume."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from siamtrt import cli
from training.config import Config
from training.pruning.measure import Job, measure
from training.pruning.score import MODES


def add_scoring(arguments: argparse.ArgumentParser) -> None:
    """Declare how channels are scored."""
    arguments.add_argument("--model", required=True, help="a row of the table in README.md")
    arguments.add_argument("--start", type=Path, required=True, help="the checkpoint to score")
    arguments.add_argument("--config", type=Path, required=True, help="training/configs/MODEL_pruned.toml")
    arguments.add_argument("--data", type=Path, required=True, help="the folder that the configured sources are below")
    arguments.add_argument("--mode", choices=MODES, default="fisher", help="how channels are scored")
    arguments.add_argument("--pairs", type=cli.count, default=64, help="how many training pairs are seen")
    arguments.add_argument("--probes", type=cli.count, default=4, help="random directions a pair")
    arguments.add_argument("--seed", type=cli.seed, default=0, help="of the directions")
    arguments.add_argument("--batch", type=cli.count, default=8, help="pairs run together")
    arguments.add_argument("--blocks", action="store_true", help="score whole residual blocks too, which then can go")
    arguments.add_argument("--only", nargs="+", default=[], help="groups whose names begin so; all by default")


def job_of(options: argparse.Namespace) -> Job:
    """The job that the options of :func:`add_scoring` name."""
    names = ("model", "start", "mode", "pairs", "probes", "seed", "batch", "blocks")
    return replace(Job(**{name: getattr(options, name) for name in names}), only=tuple(options.only))


def add_arguments(arguments: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    add_scoring(arguments)
    arguments.add_argument("--out", type=Path, required=True, help="a JSON file")


def main(options: argparse.Namespace) -> None:
    """Score, write the file, and print the groups by what a channel of each is worth."""
    partial = options.out.with_name(f"{options.out.stem}.partial.json")
    scores = measure(job_of(options), Config.load(options.config), options.data, partial)
    scores.save(options.out)
    partial.unlink(missing_ok=True)
    means = {name: sum(values) / len(values) for name, values in scores.groups.items()}
    for name in sorted(means, key=lambda name: means[name]):
        values = sorted(scores.groups[name])
        print(f"{name:40} {len(values):5} channels, mean {means[name]:.3e}, median {values[len(values) // 2]:.3e}")
    print(options.out)
