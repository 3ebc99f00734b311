"""A search as a picture: every network that was judged, and the front."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from architectures.archive import Judged
from siamtrt.files import whole_file


def draw(judged: list[Judged], chosen: list[Judged], path: Path) -> None:
    """Write a PNG: price across, overlap up; *chosen* joined by a line."""
    timed = all(one.milliseconds is not None for one in judged)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for shown, style, name in ((judged, ".", "judged"), (chosen, "o-", "front")):
        axes.plot([one.price for one in shown], [one.overlap for one in shown], style, label=name)
    axes.set_xlabel("ms by the latency table" if timed else "million multiply-accumulates")
    axes.set_ylabel("overlap on held-out pairs")
    axes.grid(alpha=0.3)
    axes.legend()
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
