"""Drawings as text: SVG elements, escaped, with nothing from outside."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Iterable, Union

# style.css has a second set of all these colours, for dark screens.
INK, MUTED, GRID, PAPER, BAND, RULE = "#1c2733", "#5d6b7a", "#e4e8ed", "#ffffff", "#eef3fa", "#b9c2cc"
# Told apart by people with any colour vision, and in grey print by their order of lightness.
SERIES = ("#1f5fa8", "#d9690a", "#2a8a57", "#8449b0", "#b3263a", "#0f8b97", "#7a5a1e", "#5d6b7a")
_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"

_HEADING_PX = 28.0

Attribute = Union[str, float, int]


def element(name: str, content: str = "", /, **attributes: Attribute) -> str:
    """An element; ``_`` in the name of an attribute stands for ``-``, and *content* is markup already."""
    words = "".join(f' {key.replace("_", "-")}="{_value(value)}"' for key, value in attributes.items())
    return f"<{name}{words}>{content}</{name}>" if content else f"<{name}{words}/>"


def text(x: float, y: float, words: str, *, size: float = 11, anchor: str = "start", **attributes: Attribute) -> str:
    """Words at a point; they are escaped here."""
    settings = {"fill": INK, **attributes}
    return element("text", escape(words), x=x, y=y, font_size=size, text_anchor=anchor, **settings)


def line(start: tuple[float, float], end: tuple[float, float], stroke: str = GRID, **attributes: Attribute) -> str:
    """A straight line."""
    return element("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], stroke=stroke, **attributes)


def polyline(points: Iterable[tuple[float, float]], stroke: str, **attributes: Attribute) -> str:
    """A line through points."""
    settings = {"fill": "none", "stroke_width": 2, "stroke_linejoin": "round", **attributes}
    return element("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), stroke=stroke, **settings)


def rectangle(x: float, y: float, width: float, height: float, **attributes: Attribute) -> str:
    """A rectangle."""
    return element("rect", x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), **attributes)


def titled(shape: str, words: str) -> str:
    """A shape that says *words* when the pointer rests on it."""
    return element("g", element("title", escape(words)) + shape)


@dataclass(frozen=True)
class Drawing:
    """A picture of a size in pixels; *words* describe it to who cannot see it."""

    width: float
    height: float
    body: str
    words: str

    @property
    def markup(self) -> str:
        """A whole SVG document, fit for a file or a page."""
        return self.placed(0.0, 0.0)

    def placed(self, x: float, y: float) -> str:
        """The same within another document, with its upper left corner there."""
        return element(
            "svg",
            rectangle(0, 0, self.width, self.height, fill=PAPER) + self.body,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {self.width:g} {self.height:g}",
            x=x,
            y=y,
            width=self.width,
            height=self.height,
            role="img",
            aria_label=self.words,
            font_family=_FONT,
        )


def stacked(drawings: Iterable[tuple[str, Drawing]], title: str) -> Drawing:
    """Drawings in rows as wide as the widest, each under its heading."""
    drawings = list(drawings)
    width = max(drawing.width for _, drawing in drawings)
    bodies = [text(12, 26, title, size=15, font_weight="bold")]
    left, top, bottom = 0.0, 40.0, 40.0
    for heading, drawing in drawings:
        if left + drawing.width > width:
            left, top = 0.0, bottom
        bodies.append(text(left + 12, top + 20, heading, size=13, font_weight="bold"))
        bodies.append(drawing.placed(left, top + _HEADING_PX))
        left, bottom = left + drawing.width, max(bottom, top + _HEADING_PX + drawing.height)
    return Drawing(width, bottom, "".join(bodies), title)


def _value(value: Attribute) -> str:
    return f"{value:.6g}" if isinstance(value, float) else escape(str(value), quote=True)
