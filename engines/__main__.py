"""``python -m engines``: build the engines of one model for one backend and precision."""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are imported ends without a traceback

import argparse
from pathlib import Path

from engines.build import BACKENDS, BuildRequest, build
from engines.int8 import Int8Options
from engines.sensitivity import choice
from engines.tensorrt.building import CALIBRATORS, FEATURES, FLOAT32, OUR_RANGES, TensorrtOptions
from siamtrt import GraphPrecisions, UsageError, cli


def main(options: argparse.Namespace) -> None:
    """Build the engines and print their folder."""
    precisions = GraphPrecisions.parse(options.precision)
    tensorrt = TensorrtOptions(
        options.workspace_mib,
        options.timing_cache,
        tuple(options.compute_capability or ()),
        options.calibrator,
        options.features,
        tuple(options.dla or ()),
    )
    int8 = Int8Options(options.ranges, _float_layers(options, precisions), options.correction_samples)
    command = cli.command_line("engines")
    build(
        BuildRequest(options.onnx, options.out, options.backend, precisions, command, tensorrt, int8, options.targets)
    )
    print(options.out)


def _float_layers(options: argparse.Namespace, precisions: GraphPrecisions) -> tuple[str, ...]:
    """The layers named, and those that the ranking says."""
    words: list[str] = options.float_layers or []
    named = [word for word in words if not word.isdigit()]
    counts = [int(word) for word in words if word.isdigit()]
    limits = len(counts) + (options.max_noise is not None)
    if (words or limits) and not precisions.int8_roles:
        raise UsageError(
            f"--float-layers and --max-noise are of INT8, which {precisions.label} is not",
            hint="leave them out (make: FLOAT_LAYERS, MAX_NOISE), or --precision int8",
        )
    if not limits and (named or options.sensitivity is None):
        return tuple(named)
    if not limits:
        raise UsageError(
            "a ranking alone leaves no layer in floating point",
            hint="--float-layers N or --max-noise 0.01 beside --sensitivity",
        )
    if options.sensitivity is None or limits > 1:
        raise UsageError(
            "--float-layers N and --max-noise, one of them and once, need a ranking",
            hint="python -m engines.sensitivity --help, then --sensitivity FILE",
        )
    way = choice.way_out(options.sensitivity, options.onnx, precisions)
    return (*named, *(choice.first(way, counts[0]) if counts else choice.until(way, options.max_noise)))


def arguments() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = cli.parser("engines", "Turn exported ONNX graphs into engines.")
    parser.add_argument("--onnx", type=Path, required=True, help="folder written by python -m export")
    parser.add_argument("--out", type=Path, required=True, help="folder for the engines")
    parser.add_argument("--backend", choices=BACKENDS, default="onnxruntime")
    parser.add_argument(
        "--precision", default="fp16", help="fp32, fp16, int8, int8-all, or target=..,search=..,xcorr=.."
    )
    about = "how many targets are followed in one run, of a model exported with --kernel-inputs"
    parser.add_argument("--targets", type=cli.count, default=1, help=about)
    int8 = parser.add_argument_group("int8 only")
    int8.add_argument("--ranges", type=Path, help="folder written by python -m calibration")
    int8.add_argument(
        "--float-layers",
        action="append",
        metavar="LAYER|N",
        help="LAYER or GRAPH:LAYER that stays in floating point, or how many of the worst do",
    )
    int8.add_argument(
        "--max-noise",
        type=float,
        help="leave the worst layers in floating point until the error of the maps is this share of their power",
    )
    # Their names of before, for one release.
    int8.add_argument("--keep", dest="float_layers", action="append", help=argparse.SUPPRESS)
    int8.add_argument("--max-drift", dest="max_noise", type=float, help=argparse.SUPPRESS)
    int8.add_argument("--sensitivity", type=Path, help="ranking written by python -m engines.sensitivity")
    int8.add_argument(
        "--correction-samples", type=int, help="crops to correct the biases on, 0 for none; 16 by default"
    )
    tensorrt = parser.add_argument_group("tensorrt and typed only")
    tensorrt.add_argument("--workspace-mib", type=int, default=1024, help="scratch memory a layer may take")
    tensorrt.add_argument("--timing-cache", type=Path, help="folder that makes a second build fast (tensorrt)")
    tensorrt.add_argument(
        "--calibrator",
        choices=CALIBRATORS,
        default=OUR_RANGES,
        help="INT8 by the ranges as they are, or by TensorRT's own over the same samples (tensorrt)",
    )
    about = "how what search puts out lies for xcorr: plain, or float16 with eight channels side by side (tensorrt)"
    tensorrt.add_argument("--features", choices=FEATURES, default=FLOAT32, help=about)
    about = "let a DLA compute what it can of a graph, the GPU the rest; e.g. search=0 (tensorrt)"
    tensorrt.add_argument("--dla", action="append", metavar="GRAPH=CORE", help=about)
    tensorrt.add_argument("--compute-capability", action="append", help="e.g. 8.9: build for that GPU (TensorRT-RTX)")
    return parser


if __name__ == "__main__":
    sys.exit(cli.run(main, arguments()))
