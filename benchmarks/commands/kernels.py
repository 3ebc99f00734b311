"""``python -m benchmarks kernels``: the CUDA kernels of crop and decode alone; needs a GPU, but no TensorRT."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from benchmarks.profiling.overheads.chain.kernel_times import kernel_times
from siamtrt import ModelCard, cli, documents
from siamtrt.cli import command_line
from siamtrt.environment import describe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, required=True, help="folder with a model.json: an export, or engines")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    cli.add_json(parser)


def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    times = kernel_times(ModelCard.load(options.model))
    if options.out:
        document = {"command": command_line("benchmarks"), **asdict(times), "environment": describe()}
        documents.write(options.out, document)
    lines = [f"{name:24} {microseconds:10.1f} us" for name, microseconds in times.kernels_us.items()]
    for size, captured_us in times.captured_us.items():
        plain_us = times.plain_us[size]
        lines.append(
            f"a frame without network, {size}: CUDA graph {captured_us:.1f} us, step by step {plain_us:.1f} us"
        )
    cli.show(options, "\n".join(lines), times)
