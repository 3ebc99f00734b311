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
    steps = [entry["step"] for entry in history]
    window = max(1, min(_SMOOTHED_STEPS, len(steps) // 4))
    for name in (name for name in history[-1] if name not in _NO_LOSS):
        means = np.convolve([entry[name] for entry in history], np.full(window, 1 / window), "valid")
        left.plot(steps[window - 1 :], means, label=name)
    left.set(xlabel="step", ylabel=f"loss, mean of {window} steps", yscale="log")
    left.legend()
    scored = [entry for entry in history if "score" in entry]
    right.plot([entry["step"] for entry in scored], [entry["score"] for entry in scored], marker=".")
    right.set(xlabel="step", ylabel="score on held-out data", ylim=(0, 1))
    rate = right.twinx()
    rate.plot(steps, [entry["lr"] for entry in history], color="tab:gray", linewidth=0.8)
    rate.set_ylabel("learning rate (gray)")
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=120)
    plt.close(figure)
