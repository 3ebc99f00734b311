"""``python -m calibration``: measure the ranges that INT8 engines need."""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are imported ends without a traceback

import argparse
from pathlib import Path

from calibration import methods
from calibration.calibrate import calibrate
from calibration.plan import Request
from siamtrt import cli


def main(options: argparse.Namespace) -> None:
    """Calibrate and print the folder."""
    calibrate(requested(options), options.out, cli.command_line("calibration"))
    print(options.out)


def requested(options: argparse.Namespace) -> Request:
    """What the options of :func:`arguments` ask for.

    Raises:
        UsageError: an unknown method.
    """
    chosen = methods.parse(options.method)
    return Request(options.onnx, options.frames, options.crops, options.seed, chosen, options.threads)


def arguments(
    stage: str = "calibration", description: str = "Measure activation ranges on frames."
) -> argparse.ArgumentParser:
    """The parser of a command that calibrates."""
    arguments = cli.parser(stage, description)
    arguments.add_argument("--onnx", type=Path, required=True, help="folder written by python -m export")
    arguments.add_argument("--frames", type=Path, required=True, help="folder of videos and images with boxes")
    arguments.add_argument("--out", type=Path, required=True, help="folder for ranges, caches and samples")
    arguments.add_argument("--crops", type=cli.count, default=500, help="how many template and search crops")
    arguments.add_argument("--seed", type=cli.seed, default=0, help="of the choice of frames")
    arguments.add_argument(
        "--method",
        default=methods.DEFAULT,
        help=f"minmax, percentile, entropy, or one for each graph; {methods.DEFAULT} if left out",
    )
    arguments.add_argument("--threads", type=cli.count, help="all cores by default")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, arguments()))
