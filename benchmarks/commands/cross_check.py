"""``python -m benchmarks cross-check``: a script that lets NVIDIA's polygraphy compare engines with their graphs."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.evaluation.cross_check import write
from benchmarks.evaluation.options import declare
from sequences.annotated import load_sequence


def add_arguments(parser: argparse.ArgumentParser) -> None:
    declare(parser, "engines", required=("engines",))
    parser.add_argument("--onnx", type=Path, required=True, help="the graphs they were built from")
    parser.add_argument("--clip", type=Path, required=True, help="folder written by python -m benchmarks clip")
    parser.add_argument("--out", type=Path, help="folder of the script; ENGINES-polygraphy beside them by default")


def main(options: argparse.Namespace) -> None:
    """Write the script and print its path."""
    beside = options.engines.with_name(f"{options.engines.resolve().name}-polygraphy")
    print(write(options.engines, options.onnx, load_sequence(options.clip), options.out or beside))
