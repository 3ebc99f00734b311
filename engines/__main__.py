"""``python -m engines``: build the engines of one model for one backend and precision."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import List

from engines.build import BACKENDS, build
from engines.sensitivity.choose import layers_to_keep
from engines.tensorrt.options import CALIBRATORS, OUR_RANGES, TensorrtOptions
from siamtrt import GraphPrecisions, UsageError, cli


def main(options: argparse.Namespace) -> None:
    """Build the engines and print their folder."""
    precisions = GraphPrecisions.parse(options.precision)
    build(
        options.onnx,
        options.out,
        options.backend,
        precisions,
        cli.command_line("engines"),
        TensorrtOptions(
            options.workspace_mib,
            options.detailed,
            options.timing_cache,
            tuple(options.compute_capability or ()),
            options.calibrator,
        ),
        ranges=options.ranges,
        keep=_keep(options, precisions),
        correction_samples=options.correction_samples,
    )
    print(options.out)


def _keep(options: argparse.Namespace, precisions: GraphPrecisions) -> List[str]:
    """The layers named, and those that the ranking says."""
    words: List[str] = options.keep or []
    named = [word for word in words if not word.isdigit()]
    counts = [int(word) for word in words if word.isdigit()]
    if not counts and options.max_drift is None:
        if options.sensitivity:
            raise UsageError("a ranking alone keeps no layer", hint="--keep N or --max-drift 0.01 beside --sensitivity")
        return named
    if options.sensitivity is None or len(counts) > 1 or (counts and options.max_drift is not None):
        raise UsageError(
            "--keep N and --max-drift, one of them and once, need a ranking",
            hint="python -m engines.sensitivity --help, then --sensitivity FILE",
        )
    graphs = precisions.int8_roles
    count = counts[0] if counts else None
    return named + layers_to_keep(options.sensitivity, options.onnx, graphs, count=count, most_noise=options.max_drift)


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
        "--keep",
        action="append",
        metavar="LAYER|N",
        help="LAYER or GRAPH:LAYER that stays in floating point, or how many of the worst do",
    )
    int8.add_argument(
        "--max-drift",
        type=float,
        help="keep the worst layers until the error of the maps is this share of their power, e.g. 0.01",
    )
    int8.add_argument("--sensitivity", type=Path, help="ranking written by python -m engines.sensitivity")
    int8.add_argument(
        "--correction-samples", type=int, help="crops to correct the biases on, 0 for none (onnxruntime; 16 by default)"
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
