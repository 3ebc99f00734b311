"""Plots over two axes: curves, points, a histogram, a long timeline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np

from benchmarks.reports.drawing import svg
from benchmarks.reports.drawing.axes import Axis, covering, grid, short

THIRD, HALF, FULL = (340.0, 280.0), (520.0, 280.0), (1060.0, 230.0)  # of a page: width and height of a drawing
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 16.0, 28.0, 42.0
_ROW = 15.0
_CHARACTER = 5.8
_BINS = 48
_NAMED_BORDERS = 10
_TARGETS = 100
_SHOWN_P99S = 2.0  # a timeline ends at so many times its 99th percentile, lest one slow frame flattens the rest

Size = Tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A named line; ``x`` rises."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Point:
    """A named dot; ``group`` picks its colour, a *foreign* one is hollow: measured by someone else, elsewhere."""

    name: str
    x: float
    y: float
    group: str
    foreign: bool = False
    labelled: bool = True


def spans(size: Size, names: Sequence[str] = ()) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the x and the y axis of a drawing of that size, with a legend of *names* above, start and end."""
    return (_LEFT, size[0] - _RIGHT), (size[1] - _BOTTOM, _TOP + legend_px(names, size[0]))


def legend_px(names: Sequence[str], width: float) -> float:
    """How high a legend is."""
    return max((top + _ROW for _, top in _places(names, width)), default=0.0)


def curves(
    series: Sequence[Curve], titles: tuple[str, str], *, bands: Sequence[tuple[float, float]] = (), size: Size = HALF
) -> svg.Drawing:
    """Lines over one another, y from 0; *bands* shade ranges of x."""
    names = [curve.name for curve in series]
    x_span, y_span = spans(size, names)
    x = covering([value for curve in series for value in curve.x], x_span, titles[0])
    y = covering([value for curve in series for value in curve.y], y_span, titles[1], zero=True)
    parts = []
    for low, high in bands:
        parts.append(svg.rectangle(x.at(low), y.end_px, x.at(high) - x.at(low), y.start_px - y.end_px, fill=svg.BAND))
    parts.append(grid(x, y))
    for index, curve in enumerate(series):
        points = [(x.at(a), y.at(b)) for a, b in zip(curve.x, curve.y) if math.isfinite(b)]
        parts.append(svg.titled(svg.polyline(points, color(index)), curve.name))
        parts += _targets(curve, x, y)
    parts.append(legend(names, size[0]))
    return svg.Drawing(*size, "".join(parts), f"{titles[1]} over {titles[0]}")


def _targets(curve: Curve, x: Axis, y: Axis) -> list[str]:
    """Places along a curve where the pointer is told both values."""
    known = [(a, b) for a, b in zip(curve.x, curve.y) if math.isfinite(b)]
    return [
        svg.titled(
            svg.element("circle", cx=x.at(a), cy=y.at(b), r=4, fill_opacity=0), f"{curve.name}: {a:g}, {short(b)}"
        )
        for a, b in known[:: math.ceil(len(known) / _TARGETS) or 1]
    ]


def points(
    dots: Sequence[Point],
    titles: tuple[str, str],
    *,
    front: Sequence[tuple[float, float]] = (),
    size: Size = HALF,
    zero: bool = True,
) -> svg.Drawing:
    """Named dots, coloured by group, and a line through the *front*; axes from 0, unless *zero* is not set."""
    groups = list(dict.fromkeys(dot.group for dot in dots))
    x_span, y_span = spans(size, groups)
    x = covering([*(dot.x for dot in dots), *(a for a, _ in front)], x_span, titles[0], zero=zero)
    y = covering([*(dot.y for dot in dots), *(b for _, b in front)], y_span, titles[1], zero=zero)
    colors = {group: color(index) for index, group in enumerate(groups)}
    parts = [grid(x, y)]
    if front:
        steps = [(x.at(a), y.at(b)) for a, b in front]
        parts.append(svg.polyline(steps, svg.INK, stroke_width=1.2, stroke_dasharray="5 4"))
    parts += [_dot(dot, x, y, colors) for dot in sorted(dots, key=lambda dot: dot.labelled)]  # named ones on top
    parts += _labels(dots, x, y)
    parts.append(legend(groups, size[0], hollow=[dot.group for dot in dots if dot.foreign]))
    return svg.Drawing(*size, "".join(parts), f"{titles[1]} against {titles[0]}")


def histogram(values: Sequence[float], marks: dict[str, float], title: str, *, size: Size = HALF) -> svg.Drawing:
    """How often each value occurs, with lines at *marks*; what lies beyond the last mark is counted in the last bar."""
    x_span, y_span = spans(size)
    end = max(marks.values()) * 1.15 if marks else max(values)
    x = covering([min(values), min(end, max(values))], x_span, title)
    counts, edges = np.histogram(np.clip(values, x.low, x.high), bins=_BINS, range=(x.low, x.high))
    y = covering([float(counts.max())], y_span, "frames", zero=True)
    parts = [grid(x, y)]
    for count, low, high in zip(counts.tolist(), edges[:-1], edges[1:]):
        bar = svg.rectangle(
            x.at(low) + 0.5, y.at(count), x.at(high) - x.at(low) - 1, y.start_px - y.at(count), fill=color(0)
        )
        parts.append(svg.titled(bar, f"{short(low)} to {short(high)}: {count} frames") if count else "")
    for index, (name, value) in enumerate(marks.items()):
        place, height = x.at(value), y.end_px + 12 * index
        parts.append(svg.line((place, y.start_px), (place, height), svg.INK, stroke_dasharray="3 3"))
        parts.append(svg.text(place + 4, height + 9, f"{name} {short(value)}"))
    return svg.Drawing(*size, "".join(parts), f"histogram of {title}")


def timeline(
    values: Sequence[float | None],
    borders: Sequence[tuple[int, str]],
    title: str,
    *,
    names: Sequence[str] = (),
    size: Size = FULL,
) -> svg.Drawing:
    """Each value in turn; of many only the lowest and highest of each pixel's width.

    Args:
        values: one a frame; None leaves a gap.
        borders: index of the first frame of each sequence, and its name.
        title: of the values.
        names: one a frame, for the pointer; their numbers where none are given.
        size: of the drawing.
    """
    x_span, y_span = spans(size)
    x = Axis(0, max(1, len(values) - 1), *x_span, "frame")
    known = [value for value in values if value is not None]
    limit = min(max(known), _SHOWN_P99S * float(np.percentile(known, 99)))
    y = covering([limit], y_span, title, zero=True)
    beyond = [value for value in known if value > y.high]
    words = f"{len(beyond)} above, in orange; the slowest {short(max(beyond))}" if beyond else ""
    parts = [grid(x, y), svg.text(x.end_px, y.end_px - 10, words, anchor="end", fill=svg.MUTED)]
    for index, name in borders:
        parts.append(svg.line((x.at(index), y.start_px), (x.at(index), y.end_px), svg.RULE, stroke_dasharray="2 3"))
        if len(borders) <= _NAMED_BORDERS:
            parts.append(svg.text(x.at(index) + 4, y.end_px + 11, name, size=10, fill=svg.MUTED))
    columns: dict[tuple[int, bool], list[tuple[float, str]]] = {}
    for index, value in enumerate(values):
        if value is not None:
            name = names[index] if names else f"frame {index}"
            columns.setdefault((round(x.at(index)), value > y.high), []).append((value, name))
    for (place, outside), column in columns.items():
        slowest, name = max(column)
        shape = _column(place, [y.at(value) for value, _ in column], color(int(outside)))
        parts.append(svg.titled(shape, f"{name}: {short(slowest)}"))
    return svg.Drawing(*size, "".join(parts), f"{title} of each frame")


def _column(place: float, ys: list[float], tone: str) -> str:
    low, high = min(ys) - 1, max(ys) + 1
    return svg.element("path", d=f"M{place} {low:.1f}V{high:.1f}", stroke=tone, stroke_width=2)


def color(index: int) -> str:
    """The colour of the series with that number."""
    return svg.SERIES[index % len(svg.SERIES)]


def legend(names: Sequence[str], width: float, hollow: Sequence[str] = ()) -> str:
    """Names beside their colours above the plot, *hollow* ones as rings; one alone needs none."""
    parts = []
    for index, (name, (left, top)) in enumerate(zip(names, _places(names, width))):
        tone = color(index)
        if name in hollow:
            ring = {"cx": left + 5, "cy": top + 7, "r": 4.2}
            parts.append(svg.element("circle", fill=svg.PAPER, stroke=tone, stroke_width=1.6, **ring))
        else:
            parts.append(svg.rectangle(left, top + 2, 10, 10, fill=tone, rx=2))
        parts.append(svg.text(left + 15, top + 11, name))
    return "".join(parts)


def _places(names: Sequence[str], width: float) -> list[tuple[float, float]]:
    """Left and top of each name of a legend, in rows as wide as the drawing."""
    places: list[tuple[float, float]] = []
    left, top = _LEFT, 0.0
    for name in names if len(names) > 1 else ():
        taken = len(name) * 6.4 + 30
        if left > _LEFT and left + taken > width - _RIGHT:
            left, top = _LEFT, top + _ROW
        places.append((left, top))
        left += taken
    return places


def _labels(dots: Sequence[Point], x: Axis, y: Axis) -> list[str]:
    """Names beside dots; one that would lie on another or on a dot is moved down, near the border to the left."""
    taken = [(y.at(dot.y) + 4, x.at(dot.x) - 6, x.at(dot.x) + 6) for dot in dots]
    parts = []
    for dot in sorted((dot for dot in dots if dot.labelled), key=lambda dot: (-dot.y, dot.x)):
        width, start, height = len(dot.name) * _CHARACTER, x.at(dot.x) + 8, y.at(dot.y) + 4
        if start + width > x.end_px:
            start -= 16 + width
        while any(abs(height - other) < 11 and start < end and left < start + width for other, left, end in taken):
            height += 11
        taken.append((height, start, start + width))
        parts.append(svg.text(start, height, dot.name, size=10, stroke=svg.PAPER, stroke_width=3, paint_order="stroke"))
    return parts


def _dot(dot: Point, x: Axis, y: Axis, colors: dict[str, str]) -> str:
    tone = colors[dot.group]
    look = {"fill": svg.PAPER, "stroke": tone} if dot.foreign else {"fill": tone, "stroke": svg.PAPER}
    shape = svg.element("circle", cx=x.at(dot.x), cy=y.at(dot.y), r=5, stroke_width=1.6, **look)
    return svg.titled(shape, f"{dot.name}: {short(dot.x)}, {short(dot.y)}")
