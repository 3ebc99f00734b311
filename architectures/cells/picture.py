"""A cell as a drawing, and a search as curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from architectures.cells.record import Record
from networks.genotype import INPUTS, WEIGHT_FREE, Genotype
from siamtrt.files import whole_file

_BOX = (1.1, 0.7)
_STEP_X, _STEP_Y = 2.6, 1.9
_FREE, _WITH = "tab:gray", "tab:blue"
_DPI = 110


def draw_cell(genotype: Genotype, path: Path) -> None:
    """Write a PNG: maps from left to right, an arrow an edge, grey where its operation has no weights."""
    count = INPUTS + len(genotype.nodes)
    places = {number: _place(number) for number in range(count)}
    figure = Figure(figsize=(2.2 + 1.6 * count, 5), layout="constrained")
    axes = figure.add_subplot()
    names = {number: f"{number}" for number in places} | {0: "0\nshallower", 1: "1\ndeeper"}
    for number, (x, y) in places.items():
        _box(axes, x, y, names[number], "lightyellow" if number < INPUTS else "white")
    end = (_STEP_X * count - _STEP_X / 2, 0.0)
    _box(axes, *end, f"output\n{genotype.channels * len(genotype.outputs)} ch.", "honeydew")
    for number in genotype.outputs:
        _arrow(axes, places[number], end, "", "lightgray", 0.12)
    for node, edges in enumerate(genotype.nodes, start=INPUTS):
        for place, edge in enumerate(edges):
            color = _FREE if edge.operation in WEIGHT_FREE else _WITH
            bend = 0.18 if place else -0.18
            _arrow(axes, places[edge.source], places[node], edge.operation, color, bend)
    axes.set(xlim=(-1.2, end[0] + 1.2), ylim=(-_STEP_Y - 1.2, _STEP_Y + 1.2), title=str(genotype))
    axes.axis("off")
    _save(figure, path)


def draw_curves(records: Sequence[Record], path: Path) -> None:
    """Write a PNG: held-out loss and share of operations without weights over the epochs, a line a seed."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for record in records:
        numbers = [epoch.number for epoch in record.epochs]
        (line,) = left.plot(numbers, record.losses, marker=".", label=f"seed {record.seed}, mixed cell")
        derived = [epoch.derived_loss for epoch in record.epochs]
        left.plot(numbers, derived, ":", color=line.get_color(), label="its derived cell")
        left.plot(
            [record.best.number], [record.best.loss], "o", color=line.get_color(), fillstyle="none", markersize=11
        )
        right.plot(numbers, [epoch.weight_free for epoch in record.epochs], marker=".", label=f"seed {record.seed}")
    left.set(xlabel="epoch", ylabel="loss on held-out pairs (ring: the best)")
    right.set(xlabel="epoch", ylabel="share of operations without weights")
    for axes in (left, right):
        axes.axvline(records[0].warmup + 0.5, color="tab:gray", linewidth=0.8)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    _save(figure, path)


def _place(number: int) -> tuple[float, float]:
    """Inputs stand above each other, nodes in a zigzag, so that few arrows cross a box."""
    if number < INPUTS:
        return (0.0, _STEP_Y * (0.5 - number) * 1.6)
    return (_STEP_X * (number - 1), _STEP_Y * (0.8 if number % 2 == 0 else -0.8))


def _box(axes: Axes, x: float, y: float, text: str, color: str) -> None:
    width, height = _BOX
    corner = (x - width / 2, y - height / 2)
    axes.add_patch(
        FancyBboxPatch(corner, width, height, boxstyle="round", facecolor=color, edgecolor="black", zorder=3)
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=9, zorder=4)


def _arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], text: str, color: str, bend: float
) -> None:
    style = {"arrowstyle": "-|>", "color": color, "connectionstyle": f"arc3,rad={bend}", "shrinkA": 28, "shrinkB": 30}
    axes.annotate("", end, start, arrowprops=style, zorder=2)
    if text:
        across, up = end[0] - start[0], end[1] - start[1]
        x, y = (start[0] + end[0]) / 2 + bend * up / 2, (start[1] + end[1]) / 2 - bend * across / 2
        box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.9}
        axes.text(x, y, text, ha="center", va="center", fontsize=9, color=color, bbox=box, zorder=5)


def _save(figure: Figure, path: Path) -> None:
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI)
