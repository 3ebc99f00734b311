"""Draw the figures of int8.md: ``PYTHONPATH=. python docs/int8_figures.py NAME=SENSITIVITY.json ...``.

The rankings are what ``make sensitivity`` writes. The figures, ``int8_layers.svg`` and ``int8_way_out.svg``, go beside
this file. Needs matplotlib (requirements/training.txt).
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any, Dict

from matplotlib import pyplot as plt

plt.switch_backend("svg")
plt.rcParams.update({"svg.hashsalt": "siamtrt", "svg.fonttype": "none"})  # the same figures give the same small file

_COLOURS = {"target": "#4c72b0", "search": "#c44e52", "xcorr": "#55a868"}
_SHOWN = 10


def layers(rankings: Dict[str, Dict[str, Any]], out: Path) -> None:
    """The layers that cost most when they alone are in INT8."""
    figure, axes = plt.subplots(len(rankings), 1, figsize=(7, 2.6 * len(rankings)), layout="constrained", squeeze=False)
    for axis, (name, ranking) in zip(axes[:, 0], rankings.items()):
        worst = ranking["layers"][:_SHOWN]
        rows = range(len(worst))
        shares = [100 * entry["noise"] for entry in worst]
        axis.barh(rows, shares, color=[_COLOURS[entry["graph"]] for entry in worst])
        labels = [f"{entry['graph']}: {entry['layer']} ({100 * entry['macs_share']:.1f} %)" for entry in worst]
        axis.set_yticks(rows, labels, fontsize=7)
        axis.invert_yaxis()
        axis.set_title(f"{name}: layer alone in INT8 (its share of the graph's work)", fontsize=9)
        axis.set_xlabel("error of the maps, % of their power", fontsize=8)
    _save(figure, out / "int8_layers.svg")


def way_out(rankings: Dict[str, Dict[str, Any]], out: Path) -> None:
    """Signal to noise against the share of work that leaves INT8."""
    figure, axes = plt.subplots(1, len(rankings), figsize=(7, 3), layout="constrained", squeeze=False, sharey=True)
    for axis, (name, ranking) in zip(axes[0], rankings.items()):
        for graph, colour in _COLOURS.items():
            steps = [step for step in ranking["steps"] if step["graph"] == graph and step["noise"] > 0]
            ratios = [-10 * math.log10(step["noise"]) for step in steps]
            axis.plot([100 * step["macs_share"] for step in steps], ratios, "o-", color=colour, label=graph, ms=3)
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
    found = {name: json.loads(Path(path).read_text()) for name, path in (word.split("=") for word in sys.argv[1:])}
    layers(found, Path("docs"))
    way_out(found, Path("docs"))
