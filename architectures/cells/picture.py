"""A cell as a drawing, and a search as curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as PathOfPoints

from architectures.cells.record import Record
from networks.genotype import INPUTS, NONE, WEIGHT_FREE, Genotype
from siamtrt.files import whole_file

_STEP, _BOX, _RISE, _APART = 2.4, (1.0, 0.7), 0.42, 0.24
_FREE, _WITH = "tab:gray", "tab:blue"
_DPI = 110


def draw_cell(genotype: Genotype, path: Path) -> None:
    """Write a PNG: the maps in a row, a node's first edge above it, its second below; grey where it has no weights."""
    count = INPUTS + len(genotype.nodes)
    figure = Figure(figsize=(1.5 + 1.5 * count, 5), layout="constrained")
    axes = figure.add_subplot()
    names = {0: "0\nshallower", 1: "1\ndeeper"}
    for number in range(count):
        _box(axes, _STEP * number, names.get(number, str(number)), "lightyellow" if number < INPUTS else "white")
    for node, edges in enumerate(genotype.nodes, start=INPUTS):
        for side, edge in zip((1, -1), edges, strict=True):
            if edge.operation != NONE:
                _arc(axes, edge.source, node, side, edge.operation)
    outputs = ", ".join(map(str, genotype.outputs))
    width = genotype.channels * len(genotype.outputs)
    axes.set_title(f"{genotype}\noutput: maps {outputs} side by side, {width} channels", fontsize=10)
    reach = _RISE * _STEP * (count - 1) + 1
    axes.set(xlim=(-1, _STEP * (count - 1) + 1), ylim=(-reach, reach))
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


def _box(axes: Axes, x: float, text: str, color: str) -> None:
    width, height = _BOX
    corner = (x - width / 2, -height / 2)
    axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle="round,pad=0.1", facecolor=color, edgecolor="black"))
    axes.text(x, 0, text, ha="center", va="center", fontsize=9)


def _arc(axes: Axes, source: int, node: int, side: int, text: str) -> None:
    """An arrow from a map to a node, the higher the further apart they are; *side* 1 above the row, -1 below."""
    color = _FREE if text in WEIGHT_FREE else _WITH
    start, end = _STEP * source + _APART, _STEP * node - _APART
    foot, top = side * (_BOX[1] / 2 + 0.12), side * 2 * _RISE * (end - start)
    middle = (start + end) / 2
    points = [(start, foot), (middle, foot + top), (end, foot)]
    curve = PathOfPoints(points, [PathOfPoints.MOVETO, PathOfPoints.CURVE3, PathOfPoints.CURVE3])
    axes.add_patch(FancyArrowPatch(path=curve, arrowstyle="-|>", mutation_scale=14, color=color, linewidth=1.4))
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"}
    axes.text(middle, foot + top / 2, text, ha="center", va="center", fontsize=9, color=color, bbox=box)


def _save(figure: Figure, path: Path) -> None:
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI)
