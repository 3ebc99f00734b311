"""``python -m benchmarks widths``: what each convolution of a model takes at other widths, for pruning to a latency."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.evaluation.options import declare
from benchmarks.profiling.layers.widths import width_times
from benchmarks.profiling.speed.conditions import warn_before
from siamtrt import cli
from siamtrt.environment import describe
from siamtrt.files import sha256
from siamtrt.manifest import FILE_NAME
from siamtrt.widths import save_times


def add_arguments(parser: argparse.ArgumentParser) -> None:
    declare(parser, "threads")
    parser.add_argument("--onnx", type=Path, required=True, help="folder written by python -m export")
    parser.add_argument("--multiple", type=cli.count, default=16, help="widths that are timed are multiples of it")
    parser.add_argument("--runs", type=cli.count, default=20, help="runs that the medians are of")
    parser.add_argument("--out", type=Path, required=True, help="a JSON file")
    cli.add_json(parser)


def main(options: argparse.Namespace) -> None:
    """Time, write the table, and print what a channel costs at both ends of each shape."""
    warn_before()
    times = width_times(options.onnx, options.multiple, options.runs, options.threads)
    about = {
        "onnx": sha256(options.onnx / FILE_NAME),
        "command": cli.command_line("benchmarks"),
        "environment": describe(),
        "threads": options.threads,
        "multiple": options.multiple,
    }
    save_times(options.out, times, about)
    lines = [f"{'shape':28} {'inputs':>14} {'outputs':>14} {'ms':>16}"]
    for key, entry in times.items():
        inputs = f"{entry.inputs[0]} to {entry.inputs[-1]}"
        outputs = f"{entry.outputs[0]} to {entry.outputs[-1]}"
        lines.append(f"{key:28} {inputs:>14} {outputs:>14} {entry.ms[0][0]:7.4f} to {entry.ms[-1][-1]:.4f}")
    cli.show(options, "\n".join([*lines, str(options.out)]), times)
