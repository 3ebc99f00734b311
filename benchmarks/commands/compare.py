"""``python -m benchmarks compare``: layer reports, or full reports, side by side, as tables and drawn."""

from __future__ import annotations

import argparse
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.profiling.layers import tables
from benchmarks.profiling.layers.device import Device
from benchmarks.profiling.layers.layer_report import LayerReport
from benchmarks.reports.cards import layer_drawings, report_drawings, side_by_side
from benchmarks.reports.cards.layer_drawings import Named
from benchmarks.reports.document import FORMAT, Report
from benchmarks.reports.drawing import page, svg
from siamtrt import UsageError, cli
from siamtrt.files import read_json, write_text

_TITLE = "Reports side by side"
_HALF_PX = 600.0
AnyReport = TypeVar("AnyReport", Report, LayerReport)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reports", nargs="+", type=Path, help="files of python -m benchmarks layers, or of bench")
    parser.add_argument(
        "--by", choices=tuple(tables.BY), default="role", help="which layers go together; %(default)s by default"
    )
    parser.add_argument("--device", help="layers against the bound of a device, e.g. agx_xavier_maxn")
    parser.add_argument("--precision", choices=("fp32", "fp16", "int8"), default="fp16", help="of that bound")
    parser.add_argument("--draw", type=Path, help="also draw them, FILE.svg or FILE.html")
    cli.add_json(parser)


def main(options: argparse.Namespace) -> None:
    """Print the tables, and draw where a file is named."""
    if options.draw and options.draw.suffix not in (".svg", ".html"):
        raise UsageError(f"cannot draw into {options.draw}", hint="--draw FILE.svg, or FILE.html")
    device = Device.load(options.device) if options.device else None
    full: list[Report] = []
    if _are_full(options.reports):
        full = _told_apart([Report.load(path) for path in options.reports], options.reports)
    layers = [replace(report.layers, title=report.title) for report in full if report.layers]
    layers = layers if full else _told_apart([LayerReport.load(path) for path in options.reports], options.reports)
    if device and len(layers) < len(options.reports):
        raise UsageError("a report without layers has nothing to set against a device", hint="leave out --device")
    has_layers = len(layers) == len(options.reports)
    texts = [side_by_side.table(full)] if full else []
    texts += [f"\n{tables.table(layers, options.by)}"] if has_layers else []
    texts += [tables.bounds(layers[0], device, options.precision)] if has_layers and device else []
    cli.show(options, "\n".join(texts), _compared(full, layers if has_layers else [], options.by))
    if options.draw:
        drawn = report_drawings.drawings(full) if full else []
        drawn += layer_drawings.drawings(layers, device, options.by) if has_layers else []
        titles = [report.title for report in full] or [tables.titled(report) for report in layers]
        _draw(options.draw, drawn, titles, _figures(full) if full else "")


def _compared(full: list[Report], layers: list[LayerReport], by: str) -> dict[str, Any]:
    """The figures of the tables: a list a report, and the milliseconds of each group of layers."""
    rows = [dict(zip(side_by_side.heads(full), row)) for row in side_by_side.rows(full)] if full else []
    sums = [
        {
            "title": report.title,
            "ms": [{"graph": graph, "group": group, "ms": ms} for (graph, group), ms in ms_of.items()],
        }
        for report, ms_of in ((report, tables.sums(report, tables.BY[by])) for report in layers)
    ]
    return {"rows": rows, "doubts": side_by_side.doubts(full) if full else [], "layers": sums}


def _are_full(paths: list[Path]) -> bool:
    full = [read_json(path).get("kind") == FORMAT.kind for path in paths]
    if any(full) and not all(full):
        other = paths[full.index(False)]
        raise UsageError(f"{other} is no report of a bench, the others are", hint="compare reports of one kind")
    return all(full)


def _told_apart(reports: list[AnyReport], paths: list[Path]) -> list[AnyReport]:
    """The same reports; where two have one title, each also says where it lies: the folder of a bench is its name."""
    titles = [report.title for report in reports]
    names = [path.resolve().parent.name if path.name == "report.json" else path.stem for path in paths]
    return [
        replace(report, title=f"{report.title}, {name}") if titles.count(report.title) > 1 else report
        for report, name in zip(reports, names)
    ]


def _figures(reports: list[Report]) -> str:
    """What stands above the drawings, as markup."""
    doubts = "".join(f"<li>{escape(doubt)}</li>" for doubt in side_by_side.doubts(reports))
    doubts = f'<ul class="warning">{doubts}</ul>' if doubts else ""
    table = page.table(side_by_side.heads(reports), side_by_side.rows(reports))
    return doubts + f'<div class="cards">{page.card("Figures", table, width="wide")}</div><p></p>'


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
