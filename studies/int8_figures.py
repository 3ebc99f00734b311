"""Draw the figures of int8.md: ``python -m studies.int8_figures NAME=SENSITIVITY.json ...``.

The rankings are what ``make sensitivity`` writes. The figures, ``int8_layers.svg`` and ``int8_way_out.svg``, go to the
folder docs. Needs matplotlib (requirements/training.txt).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Mapping

from matplotlib import pyplot as plt

from engines.sensitivity.ranking import Sensitivity, decibel
from siamtrt.card import ROLES

plt.switch_backend("svg")
plt.rcParams.update({"svg.hashsalt": "siamtrt", "svg.fonttype": "none"})  # the same figures give the same small file

_COLOURS = dict(zip(ROLES, ("#4c72b0", "#c44e52", "#55a868")))
_SHOWN = 10


def layers(rankings: Mapping[str, Sensitivity], out: Path) -> None:
    """The layers that cost most when they alone are in INT8."""
    figure, axes = plt.subplots(len(rankings), 1, figsize=(7, 2.6 * len(rankings)), layout="constrained", squeeze=False)
    for axis, (name, ranking) in zip(axes[:, 0], rankings.items()):
        worst = ranking.layers[:_SHOWN]
        rows = range(len(worst))
        shares = [100 * loss.noise for loss in worst]
        axis.barh(rows, shares, color=[_COLOURS[loss.graph] for loss in worst])
        labels = [f"{loss.graph}: {loss.layer} ({100 * loss.macs_share:.1f} %)" for loss in worst]
        axis.set_yticks(rows, labels, fontsize=7)
        axis.invert_yaxis()
        axis.set_title(f"{name}: layer alone in INT8 (its share of the graph's work)", fontsize=9)
        axis.set_xlabel("error of the maps, % of their power", fontsize=8)
    _save(figure, out / "int8_layers.svg")


def way_out(rankings: Mapping[str, Sensitivity], out: Path) -> None:
    """Signal to noise against the share of work that leaves INT8."""
    figure, axes = plt.subplots(1, len(rankings), figsize=(7, 3), layout="constrained", squeeze=False, sharey=True)
    for axis, (name, ranking) in zip(axes[0], rankings.items()):
        for graph, colour in _COLOURS.items():
            steps = [step for step in ranking.steps if step.graph == graph and step.noise > 0]
            ratios = [decibel(step.noise) for step in steps]
            axis.plot([100 * step.macs_share for step in steps], ratios, "o-", color=colour, label=graph, ms=3)
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("% of the graph's work in floating point", fontsize=8)
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("signal to noise of the maps, dB", fontsize=8)
    axes[0][0].legend(fontsize=8)
    _save(figure, out / "int8_way_out.svg")


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    saved = {name: Sensitivity.load(Path(path)) for name, path in (word.split("=") for word in sys.argv[1:])}
    layers(saved, Path("docs"))
    way_out(saved, Path("docs"))
