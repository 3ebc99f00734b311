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
from siamtrt.files import whole_file
from training.config import Config
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
        print(_export_half(options.out / BEST_NAME, options.out / f"{task.settings.model}.pth"))


def _export_half(best: Path, path: Path) -> Path:
    state = torch.load(best, map_location="cpu", weights_only=True)
    half = {
        key: _half(value) if value.is_floating_point() else value
        for key, value in state.items()
        if not key.endswith("num_batches_tracked")
    }
    with whole_file(path) as temporary:
        torch.save(half, temporary)
    return path


def _half(value: torch.Tensor) -> torch.Tensor:
    """*value* in float16, or as it is where that would make an infinity of a number."""
    half = value.half()
    return half if bool(torch.isfinite(half).all()) else value


def arguments() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = cli.parser("training", "Train a SiamRPN++ model; rerun the same command to resume.")
    parser.add_argument(
        "--config", type=Path, required=True, help="a TOML file, e.g. training/configs/siamrpn_lite0.toml"
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder that the configured sources are below")
    parser.add_argument("--out", type=Path, required=True, help="folder for state, weights, curves and history")
    return parser


if __name__ == "__main__":
    sys.exit(cli.run(main, arguments()))
