"""The frame of a page: one file that holds its style and the script of tables that sort; nothing from outside."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Sequence
from urllib.parse import quote

from benchmarks.reports.drawing.svg import Drawing

_STYLE, _SORT = Path(__file__).with_name("style.css"), Path(__file__).with_name("sort.js")
_NONE = "-"
SORT_HINT = '<p class="note screen">Click a head to sort.</p>'
_PHONE_PX, _PHONE_COLUMNS = 360.0, 4


def page(title: str, body: str) -> str:
    """A whole HTML document; *body* is markup."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_STYLE.read_text()}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n"
        f"<script>\n{_SORT.read_text()}</script>\n</body>\n</html>\n"
    )


def card(title: str, content: str, *, note: str = "", width: str = "half") -> str:
    """A part of the page with a heading.

    Args:
        title: the heading.
        content: markup.
        note: plain words below it.
        width: ``third``, ``half``, ``rest`` (two thirds) or ``wide``.
    """
    below = f'<p class="note">{escape(note)}</p>' if note else ""
    return f'<section class="card {width}"><h2>{escape(title)}</h2>{content}{below}</section>'


def chart(title: str, drawing: Drawing, *, note: str = "", width: str = "half", below: str = "") -> str:
    """A part of the page that is a drawing, with markup *below* it."""
    return card(title, scrolled(drawing.markup, far=drawing.width > _PHONE_PX) + below, note=note, width=width)


def scrolled(content: str, *, far: bool) -> str:
    """Markup that scrolls sideways where the screen is narrow; *far* is what a phone cannot hold, and gets a hint."""
    return f'<div class="scroll{" far" if far else ""}">{content}</div>'


def tile(name: str, figure: str, note: str = "") -> str:
    """One figure, large."""
    below = f"<span>{escape(note)}</span>" if note else ""
    return f'<div class="tile"><span>{escape(name)}</span><b>{escape(figure)}</b>{below}</div>'


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    look: str = "",
    foreign: Sequence[bool] = (),
    links: Sequence[str] = (),
) -> str:
    """A table of plain words.

    Args:
        heads: of the columns; none for a table without.
        rows: cells.
        look: ``sorts`` by a click on a head, ``words`` for text instead of figures, ``dense`` for long names, which
            may break behind a dot.
        foreign: one a row: whether it was measured by someone else.
        links: one a row: the file beside the page that its first cell leads to.
    """
    head = "".join(f"<th>{escape(words)}</th>" for words in heads)
    top = f"<thead><tr>{head}</tr></thead>" if heads else ""
    lines = []
    for index, row in enumerate(rows):
        mark = ' class="foreign"' if index < len(foreign) and foreign[index] else ""
        cells = [_cell(words, look, first=not column) for column, words in enumerate(row)]
        if index < len(links):
            cells[0] = cells[0].replace(f">{escape(row[0])}<", f">{link(links[index], row[0])}<")
        lines.append(f"<tr{mark}>{''.join(cells)}</tr>")
    body = f'<table class="{look}">{top}<tbody>{"".join(lines)}</tbody></table>'
    return scrolled(body, far="words" not in look and len(heads) > _PHONE_COLUMNS)


def folded(summary: str, lines: Sequence[str]) -> str:
    """Plain *lines* that are shown on request; nothing where there are none."""
    entries = "".join(f"<li>{escape(words)}</li>" for words in lines)
    return f"<details><summary>{escape(summary)}</summary><ul>{entries}</ul></details>" if lines else ""


def figure(value: float | None, digits: int = 3) -> str:
    """A figure for a table; a dash where there is none."""
    return _NONE if value is None else f"{value:,.{digits}f}"


def link(target: str, words: str) -> str:
    """A link to a file beside the page."""
    return f'<a href="{escape(quote(target), quote=True)}">{escape(words)}</a>'


def _cell(words: str, look: str, *, first: bool) -> str:
    """A cell, with the key that the script sorts by where the table sorts."""
    shown = escape(words).replace(".", ".<wbr>") if first and "dense" in look else escape(words)
    if "sorts" not in look:
        return f"<td>{shown}</td>"
    key = "" if words == _NONE else words.replace(",", "").replace("%", "").strip()
    return f'<td data-key="{escape(key, quote=True)}">{shown}</td>'
