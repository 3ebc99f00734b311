"""``python -m training.average``: the mean of several checkpoints of one run, which often tracks better than each."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

from networks.checkpoint import read_state
from siamtrt import UsageError, cli
from siamtrt.files import whole_file


def main(options: argparse.Namespace) -> None:
    """Average, write float32, and print the path."""
    states = [read_state(path) for path in options.checkpoints]
    for path, state in zip(options.checkpoints, states, strict=True):
        if _shapes(state) != _shapes(states[0]):
            raise UsageError(f"{path} is another network than {options.checkpoints[0]}", hint="name weights of one run")
    with whole_file(options.out) as temporary:
        torch.save(mean(states), temporary)
    print(options.out)  # noqa: T201


def mean(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of each floating-point tensor; the others are taken from the last."""
    return {
        key: torch.stack([state[key] for state in states]).mean(0) if last.is_floating_point() else last
        for key, last in states[-1].items()
    }


def _shapes(state: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {key: value.shape for key, value in state.items()}


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("training.average", "Average checkpoints of one run.")
    arguments.add_argument("checkpoints", type=Path, nargs="+", help="weights, not states of a run")
    arguments.add_argument("--out", type=Path, required=True)
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
