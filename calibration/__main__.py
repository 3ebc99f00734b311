"""``python -m calibration``: measure the ranges that INT8 engines need."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from calibration import methods
from calibration.calibrate import Request, calibrate
from calibration.measure import present
from siamtrt import cli
from studies.thesis_calibration import wrongly

log = logging.getLogger(__name__)


def main(options: argparse.Namespace) -> None:
    """Calibrate and print the folder."""
    chosen = methods.parse(options.method)
    request = Request(options.onnx, options.frames, options.crops, options.seed, chosen, options.threads)
    if options.as_the_thesis:
        log.warning("random kernels, mixed features, RGB: ranges to show what a thesis lost, fit for nothing else")
    show = wrongly(options.seed) if options.as_the_thesis else present
    calibrate(request, options.out, cli.command_line("calibration"), show)
    print(options.out)


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("calibration", "Measure activation ranges on frames.")
    arguments.add_argument("--onnx", type=Path, required=True, help="folder written by python -m export")
    arguments.add_argument("--frames", type=Path, required=True, help="folder of videos and images with boxes")
    arguments.add_argument("--out", type=Path, required=True, help="folder for ranges, caches and samples")
    arguments.add_argument("--crops", type=int, default=500, help="how many template and search crops")
    arguments.add_argument("--seed", type=cli.seed, default=0, help="of the choice of frames")
    arguments.add_argument(
        "--method",
        default=methods.DEFAULT,
        help=f"minmax, percentile, entropy, or one for each graph; {methods.DEFAULT} if left out",
    )
    arguments.add_argument("--threads", type=cli.count, help="all cores by default")
    arguments.add_argument("--as-the-thesis", action="store_true", help="repeat a published mistake, to study its loss")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
