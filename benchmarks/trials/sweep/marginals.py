"""What one graph's precision does, whatever the other two have: rates and EAO of a sweep, graph by graph."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence, Tuple

from benchmarks.reports.drawing import page
from benchmarks.reports.drawing.boxes import Box, boxes
from benchmarks.trials.sweep.row import Row
from siamtrt import GraphPrecisions
from siamtrt.card import ROLES

_HALF = 520.0
_THESIS_WHOLE = "TensorRT "  # its names of engines that have one precision throughout

Marked = Tuple[Tuple[str, ...], float]  # the three precisions of a mix, and a figure of it


def marginals(rows: Sequence[Row], values: Mapping[str, float], measure: str, thesis: Mapping[str, Any]) -> str:
    """Two cards: frames a second and the *measure* by the precision of each graph, the thesis' hollow beside.

    Args:
        rows: of a sweep.
        values: label -> the *measure* of that mix.
        measure: what tracking is judged by; only an EAO can be set beside the thesis'.
        thesis: see :func:`benchmarks.trials.sweep.page.published`.
    """
    rates = [(precisions(row.label), row.fps) for row in rows if row.fps is not None]
    tracked = [(precisions(row.label), values[row.label]) for row in rows if row.label in values]
    theirs = [(of_thesis(row["name"]), row) for row in thesis["rows"]]
    their_rates = [(mix, float(row["fps"])) for mix, row in theirs if mix]
    their_eao = [(mix, float(row["eao"])) for mix, row in theirs if mix] if measure == "EAO" else []
    note = "Each box is of all mixes in which that graph has that precision. Hollow: the thesis' mixes."
    return _card("Frames a second", rates, their_rates, note) + _card(measure, tracked, their_eao, note)


def precisions(label: str) -> tuple[str, ...]:
    """The words of target, search and xcorr in the label of a mix."""
    if "+" in label:
        return tuple(label.split("+"))
    mix = GraphPrecisions.parse(label)
    return tuple(mix.by_role[role].value for role in ROLES)


def of_thesis(name: str) -> tuple[str, ...]:
    """The same of a row of the thesis; empty for one that is no mix of engines."""
    if name.startswith(_THESIS_WHOLE):
        return (name[len(_THESIS_WHOLE) :].lower(),) * len(ROLES)
    return tuple(name.split("+")) if "+" in name else ()


def _card(measure: str, ours: Iterable[Marked], theirs: Iterable[Marked], note: str) -> str:
    heading = f"{measure[0].upper()}{measure[1:]} by the precision of each graph"
    rows = _boxes(list(ours), foreign=False)
    if not rows:
        return ""
    drawn = boxes([*rows, *_boxes(list(theirs), foreign=True)], measure, width=_HALF)
    return page.chart(heading, drawn, note=note, width="half")


def _boxes(marked: list[Marked], *, foreign: bool) -> list[Box]:
    rows = []
    for place, role in enumerate(ROLES):
        for word in sorted({mix[place] for mix, _ in marked}, reverse=True):
            values = tuple(value for mix, value in marked if mix[place] == word)
            rows.append(Box(f"{'thesis, ' if foreign else ''}{role} {word}", values, place, foreign))
    return rows
