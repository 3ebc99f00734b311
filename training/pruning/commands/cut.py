"""``python -m training.pruning cut``: take the least of the channels out of a checkpoint, and prove it."""

from __future__ import annotations

import argparse
from pathlib import Path

from siamtrt import cli
from training.pruning.measure import ScoreFile
from training.pruning.smaller import CUT_NAME, Order, cut_to


def add_order(arguments: argparse.ArgumentParser) -> None:
    """Declare how small the network is to become."""
    arguments.add_argument("--macs", type=float, help="share of the search graph's multiply-accumulates, e.g. 0.62")
    arguments.add_argument("--multiple", type=cli.count, default=16, help="widths that change become multiples of it")
    arguments.add_argument("--variant", default="pruned", help="what the smaller network is called")


def add_arguments(arguments: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    arguments.add_argument("--start", type=Path, required=True, help="the checkpoint that was scored")
    arguments.add_argument("--scores", type=Path, required=True, help="written by python -m training.pruning score")
    add_order(arguments)
    arguments.add_argument("--params", type=float, help="or weights of the whole network, e.g. 12e6")
    arguments.add_argument("--latency-ms", type=float, help="or milliseconds of the search graph by --table")
    arguments.add_argument("--table", type=Path, help="written by python -m benchmarks widths")
    arguments.add_argument("--out", type=Path, required=True, help="folder for pruned.pth and pruning.json")


def main(options: argparse.Namespace) -> None:
    """Cut, and print the widths that changed."""
    order = Order(
        macs=options.macs,
        params=options.params,
        latency_ms=options.latency_ms,
        table=options.table,
        multiple=options.multiple,
        variant=options.variant,
    )
    command = cli.command_line("training.pruning")
    record = cut_to(order, ScoreFile.load(options.scores), options.start, options.out, command)
    for group in record.groups:
        if len(group.kept) != group.before:
            print(f"{group.name:40} {group.before:5} to {len(group.kept)}")
    for graph, work in record.work_after.items():
        before = record.work_before[graph]
        print(f"{graph:8} {before['macs'] / 1e6:9.1f} to {work['macs'] / 1e6:9.1f} MMAC")
    print(options.out / CUT_NAME)
