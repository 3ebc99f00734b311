"""``python -m architectures cells``: search a cell, derive one from a search's numbers, and show one."""

from __future__ import annotations

import argparse
from pathlib import Path

from architectures.cells.chance import draw
from architectures.cells.compare import compare, table
from architectures.cells.cost import border_difference, macs, parameters
from architectures.cells.picture import draw_cell
from architectures.cells.record import Record
from architectures.cells.search import Request, search
from networks import genotype
from siamtrt import UsageError, cli
from training.hypergradient import ORDERS

_MAP_SIDES = (31, 15)


def add_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the three commands."""
    commands = arguments.add_subparsers(required=True, metavar="COMMAND")
    _search_arguments(commands.add_parser("search", help="search with several seeds; rerun to resume"))
    _derive_arguments(commands.add_parser("derive", help="the cell of one epoch of a search"))
    _show_arguments(commands.add_parser("show", help="what a cell is and costs"))
    _random_arguments(commands.add_parser("random", help="cells drawn by chance, to compare a found one with"))
    _compare_arguments(commands.add_parser("compare", help="judged models side by side, with intervals and costs"))


def main(options: argparse.Namespace) -> None:
    """Run the chosen one."""
    options.command(options)


def _search_arguments(arguments: argparse.ArgumentParser) -> None:
    arguments.add_argument("--config", type=Path, required=True, help="a TOML file of the kind cells")
    arguments.add_argument("--data", type=Path, required=True, help="the folder that the sources are below")
    arguments.add_argument("--seeds", type=cli.count, default=3, help="searches; the best of them is taken")
    arguments.add_argument("--patience", type=cli.count, default=10, help="epochs without a better one before the end")
    arguments.add_argument("--order", choices=ORDERS, help="instead of the configuration's")
    arguments.add_argument("--out", type=Path, required=True, help="folder for records, genotype, curves and drawing")
    arguments.set_defaults(command=_search)


def _search(options: argparse.Namespace) -> None:
    request = Request(options.config, options.data, options.seeds, options.patience, options.order)
    best = search(request, options.out, cli.command_line("architectures"))
    print(best.genotype)


def _derive_arguments(arguments: argparse.ArgumentParser) -> None:
    arguments.add_argument("--record", type=Path, required=True, help="record.json of one seed of a search")
    arguments.add_argument("--epoch", type=cli.count, help="the best one by default")
    arguments.add_argument("--include-none", action="store_true", help="an edge may be none, as in the published code")
    arguments.add_argument("--out", type=Path, required=True, help="a genotype file")
    arguments.set_defaults(command=_derive)


def _derive(options: argparse.Namespace) -> None:
    record = Record.load(options.record)
    epoch = record.best if options.epoch is None else record.epoch(options.epoch)
    try:
        found = genotype.strongest(epoch.numbers, record.channels, include_none=options.include_none)
    except ValueError as error:
        raise UsageError(f"epoch {epoch.number}: {error}", hint="without --include-none") from error
    found.save(options.out)
    print(found)


def _show_arguments(arguments: argparse.ArgumentParser) -> None:
    arguments.add_argument("cell", help="a string, or the path of a genotype file")
    arguments.add_argument("--draw", type=Path, help="a PNG file")
    cli.add_json(arguments)
    arguments.set_defaults(command=_show)


def _show(options: argparse.Namespace) -> None:
    cell = genotype.read(options.cell)
    nodes = {
        str(number): [f"{edge.operation}(map {edge.source})" for edge in edges]
        for number, edges in enumerate(cell.nodes, start=genotype.INPUTS)
    }
    work, border = {side: macs(cell, side) for side in _MAP_SIDES}, border_difference(cell)
    lines = [str(cell), *(f"node {number} = {' + '.join(edges)}" for number, edges in nodes.items())]
    lines.append(f"{parameters(cell):,} parameters")
    lines += [f"{count:,} multiply-accumulates on {side}x{side}" for side, count in work.items()]
    lines.append(f"{border:.1e} of the range: what the border of a template changes in its middle")
    if options.draw:
        draw_cell(cell, options.draw)
    figures = {"cell": str(cell), "nodes": nodes, "parameters": parameters(cell), "macs": work, "border": border}
    cli.show(options, "\n".join(lines), figures)


def _random_arguments(arguments: argparse.ArgumentParser) -> None:
    arguments.add_argument("--count", type=cli.count, default=3)
    arguments.add_argument("--channels", type=cli.count, default=genotype.CHANNELS)
    arguments.add_argument("--seed", type=cli.seed, default=0)
    arguments.set_defaults(command=_random)


def _random(options: argparse.Namespace) -> None:
    for number in range(options.count):
        print(draw(options.seed + number, options.channels))


def _compare_arguments(arguments: argparse.ArgumentParser) -> None:
    arguments.add_argument("--judged", type=Path, required=True, help="written by python -m benchmarks judge")
    arguments.add_argument(
        "--engines", type=Path, nargs="+", required=True, help="the first one is what others are beside"
    )
    cli.add_json(arguments)
    arguments.set_defaults(command=_compare)


def _compare(options: argparse.Namespace) -> None:
    rows = compare(options.judged, options.engines)
    cli.show(options, table(rows), rows)
