"""``python -m engines``: build the engines of one model for one backend and precision."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engines.build import BACKENDS, build
from engines.tensorrt_options import CALIBRATORS, OUR_RANGES, TensorrtOptions
from siamtrt import GraphPrecisions, cli


def main(options: argparse.Namespace) -> None:
    """Build the engines and print their folder."""
    build(
        options.onnx,
        options.out,
        options.backend,
        GraphPrecisions.parse(options.precision),
        cli.command_line("engines"),
        TensorrtOptions(
            options.workspace_mib,
            options.detailed,
            options.timing_cache,
            tuple(options.compute_capability or ()),
            options.calibrator,
        ),
        ranges=options.ranges,
        keep=tuple(options.keep or ()),
    )
    print(options.out)


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("engines", "Turn exported ONNX graphs into engines.")
    arguments.add_argument("--onnx", type=Path, required=True, help="folder written by python -m export")
    arguments.add_argument("--out", type=Path, required=True, help="folder for the engines")
    arguments.add_argument("--backend", choices=BACKENDS, default="onnxruntime")
    arguments.add_argument(
        "--precision", default="fp16", help="fp32, fp16, int8, int8-all, or target=..,search=..,xcorr=.."
    )
    int8 = arguments.add_argument_group("int8 only")
    int8.add_argument("--ranges", type=Path, help="folder written by python -m calibration")
    int8.add_argument(
        "--keep", action="append", metavar="LAYER", help="LAYER or GRAPH:LAYER that stays in floating point"
    )
    tensorrt = arguments.add_argument_group("tensorrt and typed only")
    tensorrt.add_argument("--workspace-mib", type=int, default=1024, help="scratch memory a layer may take")
    tensorrt.add_argument("--detailed", action="store_true", help="keep layer names, for layer reports; runs slower")
    tensorrt.add_argument("--timing-cache", type=Path, help="folder that makes a second build fast (tensorrt)")
    tensorrt.add_argument(
        "--calibrator",
        choices=CALIBRATORS,
        default=OUR_RANGES,
        help="INT8 by the ranges as they are, or by TensorRT's own over the same samples (tensorrt)",
    )
    tensorrt.add_argument("--compute-capability", action="append", help="e.g. 8.9: build for that GPU (TensorRT-RTX)")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
