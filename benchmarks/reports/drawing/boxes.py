"""Box plots: median, quartiles, the values within one and a half of their distance, and those beyond as dots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from benchmarks.reports.drawing import svg
from benchmarks.reports.drawing.axes import covering, short
from benchmarks.reports.drawing.plots import color

_ROW, _TOP, _BOTTOM, _THICK = 26.0, 14.0, 42.0, 14.0
_CHARACTER = 6.3
_WHISKER = 1.5  # of the distance of the quartiles: Tukey's


@dataclass(frozen=True)
class Box:
    """A row of values; a *foreign* one is hollow: measured by someone else, elsewhere."""

    label: str
    values: tuple[float, ...]
    group: int = 0
    foreign: bool = False


def boxes(rows: Sequence[Box], title: str, *, width: float = 520.0) -> svg.Drawing:
    """Rows of boxes over one axis, in the order given; a row without values says so."""
    left = min(0.42 * width, 14 + _CHARACTER * max([len(row.label) for row in rows], default=0))
    height = _TOP + _ROW * len(rows) + _BOTTOM
    axis = covering([value for row in rows for value in row.values], (left, width - 16), title)
    parts = []
    for value in axis.ticks:
        place = axis.at(value)
        parts += [
            svg.line((place, _TOP), (place, height - _BOTTOM)),
            svg.text(place, height - _BOTTOM + 16, short(value), anchor="middle", fill=svg.MUTED),
        ]
    parts.append(svg.text((left + width) / 2, height - 8, title, anchor="middle", fill=svg.MUTED))
    for number, row in enumerate(rows):
        middle = _TOP + _ROW * (number + 0.5)
        parts.append(svg.text(left - 8, middle + 4, row.label, anchor="end"))
        parts += _drawn(row, [axis.at(value) for value in sorted(row.values)], middle)
    return svg.Drawing(width, height, "".join(parts), f"{title}, spread of {len(rows)} rows")


def _drawn(row: Box, places: list[float], middle: float) -> list[str]:
    """The box of values at *places*, ascending."""
    if not places:
        return [svg.text(0, middle, "none", fill=svg.MUTED)]
    tone = color(row.group)
    low, half, high = (float(value) for value in np.percentile(places, [25, 50, 75]))
    reach = _WHISKER * (high - low)
    inside = [place for place in places if low - reach <= place <= high + reach]
    look = {"fill": svg.PAPER, "stroke": tone} if row.foreign else {"fill": tone, "stroke": tone, "fill_opacity": 0.35}
    middle_value, count = float(np.median(row.values)), len(places)
    box = svg.rectangle(low, middle - _THICK / 2, max(high - low, 1.0), _THICK, stroke_width=1.4, **look)
    words = (
        f"{row.label}: median {short(middle_value)} of {count}, {short(min(row.values))} to {short(max(row.values))}"
    )
    parts = [
        svg.line((inside[0], middle), (inside[-1], middle), tone, stroke_width=1.2),
        svg.titled(box, words),
        svg.line((half, middle - _THICK / 2), (half, middle + _THICK / 2), svg.INK, stroke_width=2),
    ]
    beyond = [place for place in places if place not in inside]
    return parts + [
        svg.element("circle", cx=place, cy=middle, r=3, fill=svg.PAPER, stroke=tone, stroke_width=1.4)
        for place in beyond
    ]
