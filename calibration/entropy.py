"""How many bins of a histogram to keep, so that 128 levels over them lose the least information.

This is TensorRT's entropy calibration: the kept bins, with all that lies beyond counted into the last of them, are
compared by Kullback-Leibler divergence with what is left after merging them into 128 levels and spreading each level
evenly over its bins that are not empty. One thing is added: at most ``MOST_CLIPPED`` of the counts may lie beyond.
Where values start far from zero (a sigmoid gate, boxes of an anchor-free head) the plain search can keep a single
filled bin at the bottom: all mass is then in the last bin on both sides, and nothing seems lost. On NanoTrackV3, such
cases clip 99.9 %, all others below 3 %. ``tests/calibration`` holds the search written plainly.

Source: S. Migacz, "8-bit inference with TensorRT", GTC 2017.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LEVELS = 128
MOST_CLIPPED = 0.05


def least_loss(counts: npt.NDArray[np.int64]) -> int:
    """Search every number of kept bins from ``LEVELS`` up.

    Args:
        counts: of magnitudes in equal bins from zero, at least ``LEVELS`` of them, not all empty.

    Returns:
        The number of kept bins; all that are filled where fewer than ``LEVELS`` are.
    """
    values = counts.astype(np.float64)
    values[0] = values[1]  # the zeros after a ReLU are exact at any range and must not outvote the rest
    occupied = np.flatnonzero(values)
    if not occupied.size or occupied[-1] < LEVELS:
        return max(LEVELS, int(np.flatnonzero(counts)[-1]) + 1)
    kept = np.arange(LEVELS, occupied[-1] + 2)
    beyond = values.sum() - np.cumsum(values)[kept - 1]
    possible = (beyond == 0) | ((values[kept - 1] > 0) & (beyond <= MOST_CLIPPED * values.sum()))
    kept = kept[possible]
    return int(kept[np.argmin(_divergences(values, kept))])


def _divergences(counts: npt.NDArray[np.float64], kept: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Information lost, in nats, for each number of *kept* bins.

    With ``c`` the kept counts, ``o`` those beyond, ``T`` their sum and ``m`` the mean of a level's filled bins, the
    divergence of ``p = (c + o at the end) / T`` from ``q = m / sum(c)`` is
    ``(sum (c + o) log (c + o) - sum (c + o) log m) / T - log T + log sum(c)``, and running sums give each of them.
    """
    mass, filled = _running(counts), _running((counts > 0).astype(np.float64))
    edges = np.arange(LEVELS + 1)[None, :] * kept[:, None] // LEVELS
    level_mass, level_filled = np.diff(mass[edges], axis=1), np.diff(filled[edges], axis=1)
    log_mean = np.log(np.maximum(level_mass, 1.0) / np.maximum(level_filled, 1.0))
    last, inside, total = counts[kept - 1], mass[kept], mass[-1]
    beyond = total - inside
    own = _running(_x_log_x(counts))[kept] - _x_log_x(last) + _x_log_x(last + beyond)
    spread = (level_mass * log_mean).sum(axis=1) + beyond * log_mean[:, -1]
    losses: npt.NDArray[np.float64] = (own - spread) / total - np.log(total) + np.log(inside)
    return losses


def _running(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(values)])


def _x_log_x(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    logs: npt.NDArray[np.float64] = np.log(np.where(values > 0, values, 1.0))
    return values * logs
