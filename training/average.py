"""``python -m training.average``: the mean of several checkpoints, which often tracks better than each.

They are weights of one network, of one run or of several. A state of a run stands for its running average: of a run
that was stopped, ``python -m training.average state.pth --out weights.pth`` writes the weights at its end.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

from networks.checkpoint import read_state
from siamtrt import UsageError, cli
from siamtrt.files import whole_file
from training.loop import AVERAGE


def main(options: argparse.Namespace) -> None:
    """Average, write float32, and print the path."""
    states = [read_state(path, under=(AVERAGE, "state_dict")) for path in options.checkpoints]
    for path, state in zip(options.checkpoints, states, strict=True):
        if _shapes(state) != _shapes(states[0]):
            raise UsageError(
                f"{path} is another network than {options.checkpoints[0]}", hint="name weights of one network"
            )
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
    arguments = cli.parser("training.average", "Average checkpoints of one network.")
    arguments.add_argument(
        "checkpoints", type=Path, nargs="+", help="weights, or states of a run, whose running average is taken"
    )
    arguments.add_argument("--out", type=Path, required=True)
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
