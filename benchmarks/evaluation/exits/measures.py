"""The arithmetic of exits: hulls, ranks, thresholds, intervals."""

from __future__ import annotations

from typing import Callable, Sequence, Tuple

import numpy as np

from siamtrt import Array

Point = Tuple[float, float]  # cost and overlap


def hull(points: Sequence[Point]) -> list[Point]:
    """The upper convex hull of *points*, by rising cost: what a coin between two of them can buy."""
    best: list[Point] = []
    for cost, overlap in sorted(points):
        if best and overlap <= best[-1][1]:
            continue  # it costs more and is worth no more
        while len(best) > 1 and _is_below(best[-1], best[-2], (cost, overlap)):
            best.pop()
        best.append((cost, overlap))
    return best


def hull_value(points: Sequence[Point], cost: float) -> float:
    """The overlap that the hull of *points* has at *cost*; at the ends, that of its ends."""
    border = hull(points)
    return float(np.interp(cost, [x for x, _ in border], [y for _, y in border]))


def _is_below(middle: Point, left: Point, right: Point) -> bool:
    """Whether *middle* lies on or below the line from *left* to *right*."""
    slope = (right[1] - left[1]) / (right[0] - left[0])
    return middle[1] <= left[1] + slope * (middle[0] - left[0])


def rank_auc(scores: Array, labels: Array) -> float | None:
    """The probability that a positive has a higher score than a negative, ties half; None without one of each."""
    positive, negative = scores[labels], scores[~labels]
    if not len(positive) or not len(negative):
        return None
    order = np.sort(negative)
    below, upto = (np.searchsorted(order, positive, side) for side in ("left", "right"))
    return float((below + upto).mean() / (2 * len(negative)))


def exits_at(scores: Array, thetas: Sequence[float]) -> Array:
    """The exit of each frame, from 1: the first whose score meets its threshold by the rule, else the last.

    Args:
        scores: N x (K - 1) or more columns.
        thetas: K - 1 of them.
    """
    taken = np.full(len(scores), len(thetas) + 1)
    for number in range(len(thetas), 0, -1):
        theta = thetas[number - 1]
        meets = np.full(len(scores), theta <= 0) if not 0 < theta < 1 else scores[:, number - 1] >= theta
        taken[meets] = number
    return taken


def taken_of(rows: Array, exits: Array) -> Array:
    """The value of its exit in each row of N x K."""
    taken: Array = rows[np.arange(len(rows)), exits - 1]
    return taken


def oracle(overlaps: Array, shares: Sequence[float], price: float) -> Array:
    """The exit of each frame that is worth most after its cost, as nobody can know before the truth: from 1.

    Args:
        overlaps: N x K.
        shares: the cost up to each exit relative to the last.
        price: overlap paid for a full frame.
    """
    best: Array = (overlaps - price * np.asarray(shares)).argmax(1)
    return best + 1


def chance(overlaps: Array, exits: Array, seeds: int) -> list[float]:
    """The mean overlap of rows (N x K) if the same *exits* were taken in other frames, by chance; one a seed.

    The mix is that of *exits* to the frame, so that nothing but the choice of frames differs.
    """
    return [float(taken_of(overlaps, np.random.default_rng(seed).permutation(exits)).mean()) for seed in range(seeds)]


def interval(
    videos: Sequence[str], statistic: Callable[[Sequence[str]], float], level: float, *, rounds: int = 1000
) -> Tuple[float, float]:
    """The interval of *statistic* under resampling of whole videos; the seed is fixed, so it is always the same."""
    rng = np.random.default_rng(0)
    names = list(videos)
    values = [statistic([names[at] for at in rng.integers(0, len(names), len(names))]) for _ in range(rounds)]
    tail = (1 - level) / 2 * 100
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)
