"""Curves and history of a run."""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt

from siamtrt.files import whole_file

CURVES_NAME, HISTORY_NAME = "curves.png", "history.csv"
_SMOOTHED_STEPS = 50
_NO_LOSS = ("step", "lr", "score")


def write_report(history: list[dict[str, float]], out: Path) -> None:
    """Write ``history.csv``, a row a step, and ``curves.png`` into *out*; nothing before the first step.

    Args:
        history: of a :class:`training.loop.Loop`.
        out: a folder.
    """
    if not history:
        return
    columns = list(dict.fromkeys(name for entry in history for name in entry))
    with whole_file(out / HISTORY_NAME) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, columns)
        table.writeheader()
        table.writerows(history)
    draw(history, out / CURVES_NAME)


def draw(history: list[dict[str, float]], path: Path) -> None:
    """Draw losses, rate and score over the steps.

    Args:
        history: of a :class:`training.loop.Loop`, not empty.
        path: a PNG file.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for name in dict.fromkeys(name for entry in history for name in entry if name not in _NO_LOSS):
        having = [entry for entry in history if name in entry]  # not every step has every loss
        window = _window(having)
        means = np.convolve([entry[name] for entry in having], np.full(window, 1 / window), "valid")
        left.plot([entry["step"] for entry in having][window - 1 :], means, label=name)
    left.set(xlabel="step", ylabel=f"loss, mean of {_window(history)} steps", yscale="log")
    left.legend()
    scored = [entry for entry in history if "score" in entry]
    right.plot([entry["step"] for entry in scored], [entry["score"] for entry in scored], marker=".")
    right.set(xlabel="step", ylabel="score on held-out data", ylim=(0, 1))
    rate = right.twinx()
    rate.plot([entry["step"] for entry in history], [entry["lr"] for entry in history], color="tab:gray", linewidth=0.8)
    rate.set_ylabel("learning rate (gray)")
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=120)
    plt.close(figure)


def _window(entries: list[dict[str, float]]) -> int:
    """How many of *entries* a curve is smoothed over."""
    return max(1, min(_SMOOTHED_STEPS, len(entries) // 4))
