"""Curves of a run."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt

from siamtrt.files import whole_file

_SMOOTHED_STEPS = 50


def draw(history: list[dict[str, float]], path: Path) -> None:
    """Draw losses, rate and held-out overlap over the steps.

    Args:
        history: of a :class:`training.trainer.Trainer`.
        path: a PNG file.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    steps = [entry["step"] for entry in history]
    for name in ("loss", "cls", "loc"):
        left.plot(*_smooth(steps, [entry[name] for entry in history]), label=name)
    left.set(xlabel="step", ylabel=f"loss, mean of {_SMOOTHED_STEPS} steps", yscale="log")
    left.legend()
    held_out = [entry for entry in history if "overlap" in entry]
    right.plot([entry["step"] for entry in held_out], [entry["overlap"] for entry in held_out], marker=".")
    right.set(xlabel="step", ylabel="overlap on held-out videos", ylim=(0, 1))
    rate = right.twinx()
    rate.plot(steps, [entry["lr"] for entry in history], color="tab:gray", linewidth=0.8)
    rate.set_ylabel("learning rate (gray)")
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=120)
    plt.close(figure)


def _smooth(steps: list[float], values: list[float]) -> tuple[list[float], list[float]]:
    window = min(_SMOOTHED_STEPS, len(values))
    means = np.convolve(values, np.full(window, 1 / window), "valid")
    return steps[window - 1 :], list(means)
