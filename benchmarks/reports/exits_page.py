"""A run of exit policies as a page: curves over cost and time, histograms, the worst case, one video frame by frame."""

from __future__ import annotations

import re
from html import escape
from typing import Any, Mapping, Sequence

from benchmarks.evaluation.exits.measures import hull
from benchmarks.evaluation.exits.run import WHOLE
from benchmarks.reports.drawing import page
from benchmarks.reports.drawing.bars import Bar, bars
from benchmarks.reports.drawing.page import figure
from benchmarks.reports.drawing.plots import FULL, Curve, Point, curves, points
from benchmarks.reports.drawing.svg import Drawing

_SIZE = (1060.0, 420.0)
_RANDOM, _CHANCE = re.compile(r"(random .*?) #\d+"), re.compile(r"random as .* #\d+")
_GROUPS = ("fixed", "tuned", "random", WHOLE)
_OTHER, _ORACLE = "other policy", "oracle, open loop"


def exits_page(figures: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The whole page, as HTML that needs nothing else.

    Args:
        figures: what :func:`benchmarks.evaluation.exits.summary.document` makes.
        rows: the raw columns: row -> video -> column.
    """
    title = f"{figures['model']}: where a frame may stop"
    machine = figures["environment"].get("board") or figures["environment"].get("cpu") or "unknown machine"
    head = (
        f'<h1>{escape(title)}</h1><p class="quiet">{figures["videos"]} videos, on {escape(machine)}, '
        f"ONNX Runtime, all rows in turn on each frame</p><p>{escape(figures['verdict']['words'].capitalize())}.</p>"
    )
    cards = [_over_cost(figures), _over_time(figures), _table(figures), _exits(figures), _worst(figures)]
    cards += [_chance(figures), *_frames(rows)]
    return page.page(title, f'{head}<div class="cards">{"".join(cards)}</div>')


def over_cost(figures: Mapping[str, Any]) -> Drawing:
    """Overlap over multiply-accumulates: every row, the hull of the fixed exits, the oracle where there is a table."""
    dots = _dots(figures, lambda row: row["cost"])
    fixed = [(row["cost"], row["overlap"]) for name, row in figures["rows"].items() if name.startswith("fixed:")]
    if figures["open_loop"]:
        dots += [
            Point(f"price {point['price']}", point["cost"], point["overlap"], _ORACLE, foreign=True, labelled=False)
            for point in figures["open_loop"]["oracle"]
        ]
    return points(dots, ("cost of a frame, last exit = 1", "mean overlap"), front=hull(fixed), size=_SIZE, zero=False)


def over_time(figures: Mapping[str, Any]) -> Drawing:
    """Overlap over the median time of a call; without chance, which runs after the others."""
    dots = [dot for dot in _dots(figures, lambda row: row["ms"]["p50"]) if not _CHANCE.fullmatch(dot.name)]
    return points(dots, ("milliseconds of a call, median", "mean overlap"), size=_SIZE, zero=False)


def _over_cost(figures: Mapping[str, Any]) -> str:
    note = (
        "Up and to the left is better. The dashed line is what a coin between fixed exits buys: "
        "a policy that looks at frames has to lie above it."
    )
    if figures["open_loop"]:
        note += " Hollow: the best exit of each frame by the truth, in the table of the last exit's way."
    return page.chart("Accuracy over multiply-accumulates", over_cost(figures), note=note, width="wide")


def _over_time(figures: Mapping[str, Any]) -> str:
    return page.chart("Accuracy over time", over_time(figures), width="wide")


def _dots(figures: Mapping[str, Any], cost: Any) -> list[Point]:
    dots = []
    for name, row in figures["rows"].items():
        group = next((group for group in _GROUPS if name.startswith(group)), _OTHER)
        dots.append(Point(name, cost(row), row["overlap"], group, labelled=group != "random"))
    return dots


def _table(figures: Mapping[str, Any]) -> str:
    heads = ["", "max ms", "p99 ms", "p50 ms", "network", "cost", "overlap", "success AUC", "over the hull", "95 %"]
    heads += ["switches per 100", "exits"]
    whole = figures["rows"].get(WHOLE)
    lines = []
    for name, row in figures["rows"].items():
        bounds = row["hull_gain_interval"]
        lines.append(
            [
                name,
                *(figure(row["ms"][key], 1) for key in ("max", "p99", "p50")),
                figure(row["network_ms"] / whole["network_ms"] if whole else None),
                figure(row["cost"]),
                figure(row["overlap"]),
                figure(row["success_auc"]),
                figure(row["hull_gain"]),
                f"{bounds[0]:.3f} to {bounds[1]:.3f}" if bounds else "-",
                figure(row["switches_per_100"], 1),
                " ".join(f"{share:.2f}" for share in row["histogram"]),
            ]
        )
    note = (
        "Network: median of the graphs relative to the model as one search. The interval is over resampled videos. "
        f"Joules: {next(iter(figures['rows'].values()))['no_joules']}."
    )
    return page.card("All rows", page.table(heads, lines, look="sorts dense"), note=note, width="wide")


def _exits(figures: Mapping[str, Any]) -> str:
    """How many frames stop at each exit, those of policies that may choose."""
    rows = [
        Bar(name, tuple(row["histogram"]))
        for name, row in figures["rows"].items()
        if not name.startswith(("fixed:", "random", WHOLE))
    ]
    if not rows:
        return ""
    names = [f"exit {number}" for number in range(1, len(figures["macs"]) + 1)]
    return page.chart("Where frames stop", bars(rows, names, "share of the frames"))


def _worst(figures: Mapping[str, Any]) -> str:
    """The slowest frames: an exit more is a wait more, so the worst case grows while the mean shrinks."""
    rows = [
        Bar(name, (row["ms"]["max"], row["ms"]["p99"], row["ms"]["p50"]))
        for name, row in figures["rows"].items()
        if not name.startswith("random")
    ]
    drawing = bars(rows, ("slowest", "99th percentile", "median"), "milliseconds of a call")
    return page.chart("The worst case", drawing)


def _chance(figures: Mapping[str, Any]) -> str:
    """Random mixes as one line: their mean and deviation."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for name, row in figures["rows"].items():
        found = _RANDOM.fullmatch(name)
        if found:
            groups.setdefault(found[1], []).append(row)
    if not groups:
        return ""
    lines = []
    for name, members in groups.items():
        overlaps, costs = ([row[key] for row in members] for key in ("overlap", "cost"))
        lines.append(
            [name, str(len(members)), figure(_mean(costs)), figure(_mean(overlaps)), figure(_deviation(overlaps))]
        )
    heads = ["mix", "seeds", "cost", "overlap", "deviation"]
    note = (
        "No claim below twice the deviation: so far apart lie two policies that look at nothing. "
        "Chance runs after the other rows, so its times do not compare with theirs."
    )
    return page.card("Chance", page.table(heads, lines), note=note)


def _frames(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The exits of the first policy that switches, under its overlap, in the video where it switches most."""
    switching = [
        (sum(a != b for a, b in zip(column["exits"], column["exits"][1:])), name, video)
        for name, videos in rows.items()
        if not name.startswith(("fixed:", "random", WHOLE))
        for video, column in videos.items()
    ]
    if not switching or not max(switching)[0]:
        return []
    _, name, video = max(switching)
    column = rows[name][video]
    frames = list(range(1, len(column["exits"]) + 1))
    overlap = [value if value is not None else float("nan") for value in column["overlaps"]]
    count = max(column["exits"])
    drawing = curves(
        [
            Curve("overlap", frames, overlap),
            Curve(f"exit, of {count}", frames, [exit_ / count for exit_ in column["exits"]]),
        ],
        ("frame", "overlap; exit relative to the last"),
        size=FULL,
    )
    return [page.chart(f"{name} in {video}", drawing, width="wide")]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _deviation(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = _mean(values)
    return float((sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5)
