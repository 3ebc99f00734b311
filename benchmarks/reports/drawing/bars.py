"""Horizontal bars: the length is the figure, and the figure stands at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from benchmarks.reports.drawing import svg
from benchmarks.reports.drawing.axes import short
from benchmarks.reports.drawing.plots import color

_ROW, _GAP, _TOP, _BOTTOM = 17.0, 9.0, 30.0, 14.0
_CHARACTER = 6.3


@dataclass(frozen=True)
class Bar:
    """A row of bars.

    Attributes:
        label: of the row.
        values: one a series; None where there is no figure.
        note: follows the figure of the first series.
    """

    label: str
    values: tuple[float | None, ...]
    note: str = ""


def bars(rows: Sequence[Bar], names: Sequence[str], title: str, *, width: float = 520.0) -> svg.Drawing:
    """Rows of bars from 0, those of a row below one another, in the order given.

    Args:
        rows: each with a value for each of *names*.
        names: of the series; one alone needs no legend.
        title: of the values, with the unit.
        width: of the drawing.
    """
    left = min(0.42 * width, 14 + _CHARACTER * max([len(row.label) for row in rows], default=0))
    longest_note = max([len(row.note) for row in rows], default=0)
    longest = max([value for row in rows for value in row.values if value is not None], default=0.0) or 1.0
    scale = (width - left - 62 - _CHARACTER * longest_note) / longest
    top = _TOP + (15 * len(names) if len(names) > 1 else 0)
    parts = [svg.text(10, 18, title, fill=svg.MUTED), *_legend(names)]
    for row in rows:
        parts.append(_label(row.label, left, top + _ROW * len(row.values) / 2 + 1))
        for index, value in enumerate(row.values):
            note = row.note if not index else ""
            parts.append(_bar(row.label, value, note, (left, top, scale), color(index)))
            top += _ROW
        top += _GAP
    return svg.Drawing(width, top - _GAP + _BOTTOM, "".join(parts), title)


def _bar(label: str, value: float | None, note: str, place: tuple[float, float, float], tone: str) -> str:
    left, top, scale = place
    if value is None:
        return svg.text(left + 4, top + 12, f"none {note}".rstrip(), fill=svg.MUTED)
    length = value * scale
    shape = svg.rectangle(left, top + 1, length, _ROW - 3, fill=tone, rx=1.5)
    figure = svg.text(left + length + 5, top + 12, f"{short(value)} {note}".rstrip())
    return svg.titled(shape, f"{label}: {short(value)}") + figure


def _label(words: str, right: float, middle: float) -> str:
    room = int((right - 8) / _CHARACTER)
    shown = words if len(words) <= room else f"{words[: room - 1]}…"
    label = svg.text(right - 6, middle + 2, shown, anchor="end")
    return label if shown == words else svg.titled(label, words)


def _legend(names: Sequence[str]) -> list[str]:
    if len(names) < 2:
        return []
    parts = []
    for index, name in enumerate(names):
        parts.append(svg.rectangle(10, 26 + 15 * index, 10, 10, fill=color(index), rx=2))
        parts.append(svg.text(25, 35 + 15 * index, name))
    return parts
