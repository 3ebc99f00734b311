"""``python -m benchmarks compare``: layer reports, or full reports, side by side, as tables and drawn."""

from __future__ import annotations

import argparse
from html import escape
from pathlib import Path

from benchmarks.profiling.layers import tables
from benchmarks.profiling.layers.device import Device
from benchmarks.profiling.layers.layer_report import LayerReport
from benchmarks.reports.cards import layer_drawings, report_drawings, side_by_side
from benchmarks.reports.cards.layer_drawings import Named
from benchmarks.reports.document import FORMAT, Report
from benchmarks.reports.drawing import page, svg
from siamtrt import UsageError
from siamtrt.files import read_json, write_text

_TITLE = "Reports side by side"
_HALF_PX = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("reports", nargs="+", type=Path, help="files of python -m benchmarks layers, or of bench")
    parser.add_argument("--by", choices=tuple(tables.BY), default="type", help="which layers go together")
    parser.add_argument("--device", help="layers against the bound of a device, e.g. agx_xavier_maxn")
    parser.add_argument("--precision", choices=("fp32", "fp16", "int8"), default="fp16", help="of that bound")
    parser.add_argument("--draw", type=Path, help="also draw them, FILE.svg or FILE.html")


def main(options: argparse.Namespace) -> None:
    """Print the tables, and draw where a file is named."""
    if options.draw and options.draw.suffix not in (".svg", ".html"):
        raise UsageError(f"cannot draw into {options.draw}", hint="--draw FILE.svg, or FILE.html")
    device = Device.load(options.device) if options.device else None
    if _are_full(options.reports):
        _full([Report.load(path) for path in options.reports], options, device)
    else:
        _layers([LayerReport.load(path) for path in options.reports], options, device)


def _are_full(paths: list[Path]) -> bool:
    full = [read_json(path).get("kind") == FORMAT.kind for path in paths]
    if any(full) and not all(full):
        other = paths[full.index(False)]
        raise UsageError(f"{other} is no report of a bench, the others are", hint="compare reports of one kind")
    return all(full)


def _layers(reports: list[LayerReport], options: argparse.Namespace, device: Device | None) -> None:
    _print_layers(reports, options, device)
    if options.draw:
        _draw(options.draw, layer_drawings.drawings(reports, device), [report.title for report in reports], "")


def _full(reports: list[Report], options: argparse.Namespace, device: Device | None) -> None:
    layers = [report.layers for report in reports if report.layers]
    if device and len(layers) < len(reports):
        raise UsageError("a report without layers has nothing to set against a device", hint="leave out --device")
    print(side_by_side.table(reports))
    if len(layers) == len(reports):
        _print_layers(layers, options, device)
    if options.draw:
        doubts = "".join(f"<li>{escape(doubt)}</li>" for doubt in side_by_side.doubts(reports))
        doubts = f'<ul class="warning">{doubts}</ul>' if doubts else ""
        table = page.table(side_by_side.heads(reports), side_by_side.rows(reports))
        top = doubts + f'<div class="cards">{page.card("Figures", table, width="wide")}</div><p></p>'
        drawn = report_drawings.drawings(reports)
        if len(layers) == len(reports):
            drawn += layer_drawings.drawings(layers, device)
        _draw(options.draw, drawn, [report.title for report in reports], top)


def _print_layers(reports: list[LayerReport], options: argparse.Namespace, device: Device | None) -> None:
    print(f"\n{tables.table(reports, options.by)}")
    if device:
        print(tables.bounds(reports[0], device, options.precision))


def _draw(path: Path, drawn: list[Named], titles: list[str], top: str) -> None:
    """Write the drawings, below *top* (markup) where they become a page."""
    if path.suffix == ".svg":
        write_text(path, svg.stacked(drawn, _TITLE).markup + "\n")
        return
    names = "".join(f"<li>{escape(title)}</li>" for title in titles)
    cards = [
        page.chart(heading, drawing, width="half" if drawing.width < _HALF_PX else "wide") for heading, drawing in drawn
    ]
    body = f"<h1>{_TITLE}</h1><ol>{names}</ol>{top}" + f'<div class="cards">{"".join(cards)}</div>'
    write_text(path, page.page(_TITLE, body))
