"""``python -m engines.tensorrt``: correct the biases of INT8 on a workstation, so that a board need not."""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are imported ends without a traceback

import argparse
from pathlib import Path

from engines.build import int8_jobs
from engines.graph import read_graph
from engines.int8 import Int8Options
from engines.tensorrt.biases import with_corrected_biases
from siamtrt import GraphPrecisions, cli


def main(options: argparse.Namespace) -> None:
    """Measure what is not kept yet and print where it lies."""
    wish = Int8Options(options.ranges, tuple(options.float_layers or ()), options.correction_samples)
    for job in int8_jobs(options.onnx, GraphPrecisions.parse(options.precision), wish):
        if job.int8 is not None:
            with_corrected_biases(read_graph(job.source), job, job.int8)
    print(options.ranges / "biases")


def arguments() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = cli.parser("engines.tensorrt", "Correct the biases of INT8 for TensorRT, without a GPU.")
    parser.add_argument("--onnx", type=Path, required=True, help="folder written by python -m export")
    parser.add_argument("--ranges", type=Path, required=True, help="folder written by python -m calibration")
    parser.add_argument("--precision", default="int8", help="as python -m engines will be given it")
    parser.add_argument("--float-layers", action="append", metavar="LAYER", help="as it will be given there")
    parser.add_argument("--correction-samples", type=int, help="crops to measure on; 16 by default")
    return parser


if __name__ == "__main__":
    sys.exit(cli.run(main, arguments()))
