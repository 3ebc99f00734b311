"""From values to places in a drawing, with round numbers along the way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Iterable

from benchmarks.reports.drawing import svg

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Axis:
    """One direction of a plot.

    Attributes:
        low: value at ``start_px``.
        high: value at ``end_px``.
        start_px: place in the drawing; a y axis starts at the bottom.
        end_px: place in the drawing; a y axis ends at the top.
        title: what is drawn along it, with the unit.
        logarithmic: equal distances are equal ratios; ``low`` is positive then.
    """

    low: float
    high: float
    start_px: float
    end_px: float
    title: str
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """The place of *value*; what lies outside is moved to the border."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        share = (self._scaled(max(value, 1e-30) if self.logarithmic else value) - low) / (high - low)
        return self.start_px + min(1.0, max(0.0, share)) * (self.end_px - self.start_px)

    @property
    def ticks(self) -> list[float]:
        """Round values from end to end."""
        if self.logarithmic:
            powers = range(math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1)
            return [10.0**power for power in powers]
        step = _step(self.high - self.low)
        first = math.ceil(self.low / step - 1e-9)
        return [index * step for index in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def covering(values: Iterable[float], span_px: tuple[float, float], title: str, *, zero: bool = False) -> Axis:
    """An axis that holds all *values* and ends on round numbers; from 0 where *zero* is set."""
    known = list(values)
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    low = min(low, 0.0) if zero else low
    if high <= low:
        high = low + (abs(low) or 1.0) * 0.1
    step = _step(high - low)
    return Axis(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, *span_px, title)


def decades(values: Iterable[float], span_px: tuple[float, float], title: str) -> Axis:
    """A logarithmic axis that holds all positive *values*; from a power of ten to 1, 2 or 5 times one."""
    known = [value for value in values if value > 0] or [1.0]
    low = 10.0 ** math.floor(math.log10(min(known)))
    top = 10.0 ** math.floor(math.log10(max(known)))
    high = next(top * step for step in (1.0, 2.0, 5.0, 10.0) if top * step >= max(known) * (1 - 1e-9))
    return Axis(low, max(high, 10 * low), *span_px, title, logarithmic=True)


def grid(x: Axis, y: Axis) -> str:
    """Lines, numbers and titles of a plot with these axes."""
    left, right, bottom, top = x.start_px, x.end_px, y.start_px, y.end_px
    parts = []
    for value in y.ticks:
        place = y.at(value)
        parts += [svg.line((left, place), (right, place)), _number(left - 7, place + 4, value, "end")]
    for value in x.ticks:
        place = x.at(value)
        parts += [svg.line((place, bottom), (place, bottom + 4), svg.MUTED), _number(place, bottom + 17, value)]
    parts.append(svg.line((left, bottom), (right, bottom), svg.MUTED))
    parts.append(svg.text((left + right) / 2, bottom + 34, x.title, anchor="middle", fill=svg.MUTED))
    parts.append(svg.text(left, top - 10, y.title, fill=svg.MUTED))
    return "".join(parts)


def short(value: float) -> str:
    """A number as a person would write it: three or four figures, no exponent."""
    if value == 0 or 1000 <= abs(value) < 1e9:
        return f"{value:,.0f}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(digits, 7)}f}"


def _number(x: float, y: float, value: float, anchor: str = "middle") -> str:
    words = f"{value:,.6f}".rstrip("0").rstrip(".")
    return svg.text(x, y, words, anchor=anchor, fill=svg.MUTED)


def _step(span: float) -> float:
    raw = span / 5
    power = 10.0 ** math.floor(math.log10(raw))
    return next(step * power for step in _STEPS if step * power >= raw * (1 - 1e-9))
