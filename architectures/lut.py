"""``python -m architectures lut``: a latency table of the layer reports of the six carriers."""

from __future__ import annotations

import argparse
from pathlib import Path

from architectures.latency import tabulate
from networks.lighttrack.architecture import MOBILE, parse


def add_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the options."""
    arguments.add_argument("--layers", type=Path, nargs="+", required=True, help="six layer reports, carrier 0 first")
    arguments.add_argument("--out", type=Path, required=True, help="the table, a JSON file")


def main(options: argparse.Namespace) -> None:
    """Write the table and print what it says of the published network."""
    table = tabulate(options.layers)
    table.save(options.out)
    print(f"{options.out}: lighttrack_mobile {table.predict(parse(MOBILE)):.2f} ms, {table.title}")  # noqa: T201
