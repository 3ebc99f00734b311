"""LightTrack networks as a drawing: a row a network, a bar a layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from networks.lighttrack.architecture import TOWER_LAYERS, TOWER_WIDTHS, Architecture, Tower
from siamtrt.files import whole_file

_COLORS = {3: "tab:blue", 5: "tab:orange", 7: "tab:red"}
_ROW, _GAP, _STAGE_GAP, _WIDEST = 1.6, 0.15, 0.5, 6  # expansions are at most 6
_DPI = 110


def draw_networks(networks: Sequence[tuple[str, Architecture]], path: Path) -> None:
    """Write a PNG of *networks* with their titles, the first on top.

    A bar's colour is the kernel of the layer; its height the expansion of a block, or the width of a tower.
    """
    figure = Figure(figsize=(12, 1.2 + 0.95 * len(networks)), layout="constrained")
    axes = figure.add_subplot()
    reach = 0.0
    for row, (title, architecture) in enumerate(networks):
        reach = max(reach, _draw_row(axes, -_ROW * row, title, architecture))
    axes.set(xlim=(-0.5, reach), ylim=(-_ROW * (len(networks) - 1) - 0.3, _ROW))
    axes.axis("off")
    handles = [Patch(color=color, label=f"{kernel}x{kernel}") for kernel, color in _COLORS.items()]
    axes.legend(handles=handles, loc="upper right", ncols=len(handles), fontsize=8)
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI)


def _draw_row(axes: Axes, y: float, title: str, architecture: Architecture) -> float:
    """One network with its foot at *y*; returns where it ends."""
    axes.text(0, y + 1.12, title, fontsize=8)
    x = 0.0
    for stage in architecture.blocks:
        for block in stage:
            _bar(axes, x, y, block.expansion / _WIDEST, block.kernel)
            x += 1 + _GAP
        x += _STAGE_GAP
    for name, tower in (("scores", architecture.cls), ("boxes", architecture.reg)):
        axes.text(x, y - 0.25, f"{name}, {tower.width}", fontsize=7)
        x = _draw_tower(axes, x, y, tower) + _STAGE_GAP
    return x


def _draw_tower(axes: Axes, x: float, y: float, tower: Tower) -> float:
    for kernel in tower.kernels:
        _bar(axes, x, y, tower.width / max(TOWER_WIDTHS), kernel)
        x += 1 + _GAP
    return x + (TOWER_LAYERS - len(tower.kernels)) * _GAP


def _bar(axes: Axes, x: float, y: float, height: float, kernel: int) -> None:
    axes.add_patch(Rectangle((x, y), 1, height, color=_COLORS[kernel]))
