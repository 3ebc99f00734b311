"""``python -m architectures show``: what an architecture is and what it costs, part by part."""

from __future__ import annotations

import argparse
from pathlib import Path

from architectures.cost import parts, published_macs, total
from architectures.drawing import draw_networks
from architectures.latency import LatencyTable
from networks.lighttrack.architecture import parse
from siamtrt import cli


def add_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the options."""
    arguments.add_argument("architecture", help="its string; canonical or not")
    arguments.add_argument("--latency", type=Path, help="a latency table")
    arguments.add_argument("--draw", type=Path, help="a PNG file")
    cli.add_json(arguments)


def main(options: argparse.Namespace) -> None:
    """Print a table."""
    architecture = parse(options.architecture)
    rows = [f"{architecture}", f"{'part':24}{'MMAC':>10}{'parameters':>14}"]
    rows += [f"{name:24}{cost.macs / 1e6:10.2f}{cost.parameters:14,}" for name, cost in parts(architecture).items()]
    whole = total(architecture)
    rows.append(f"{'sum':24}{whole.macs / 1e6:10.2f}{whole.parameters:14,}")
    published = published_macs(architecture)
    rows.append(f"{published / 1e6:.2f} M as the papers count")
    latency_ms = LatencyTable.load(options.latency).predict(architecture) if options.latency else None
    if latency_ms is not None:
        rows.append(f"{latency_ms:.2f} ms by {options.latency}")
    if options.draw:
        draw_networks([(str(architecture), architecture)], options.draw)
    figures = {
        "architecture": str(architecture),
        "parts": parts(architecture),
        "sum": whole,
        "published_macs": published,
    }
    cli.show(options, "\n".join(rows), {**figures, "latency_ms": latency_ms})
