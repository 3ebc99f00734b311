"""``python -m training``: train a SiamRPN++ model. Several processes: ``torchrun --nproc-per-node N -m training``."""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are imported ends without a traceback

import argparse
from pathlib import Path

import torch

from siamtrt import cli
from training.config import Config
from training.half import write_half
from training.loop import BEST_NAME, Loop
from training.place import join
from training.report import write_report
from training.tasks import open_task


def main(options: argparse.Namespace) -> None:
    """Train, then write the weights, in float16 where they fit, and print their path."""
    config = Config.load(options.config)
    with join(config.device) as place:
        task = open_task(config, options.data, place)
        Loop(task, config, options.out, place, lambda history: write_report(history, options.out)).run()
    if place.rank == 0:
        path = options.out / f"{task.settings.model}.pth"
        write_half(torch.load(options.out / BEST_NAME, map_location="cpu", weights_only=True), path)
        print(path)


def arguments() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = cli.parser("training", "Train a tracker; rerun the same command to resume.")
    parser.add_argument(
        "--config", type=Path, required=True, help="a TOML file, e.g. training/configs/siamrpn_nano.toml"
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder that the configured sources are below")
    parser.add_argument("--out", type=Path, required=True, help="folder for state, weights, curves and history")
    return parser


if __name__ == "__main__":
    sys.exit(cli.run(main, arguments()))
