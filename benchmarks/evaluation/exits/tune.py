"""Thresholds chosen on tuning videos, from the table of all their exits."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Sequence, Tuple

import numpy as np

from benchmarks.evaluation.exits.measures import exits_at, interval, rank_auc, taken_of
from benchmarks.evaluation.exits.table import ExitTable
from runtime.policies.parse import TunedPoints
from siamtrt import Array

ALLOWED_LOSS = 0.01  # of the last exit's overlap, at the default point
KEEP_LOSS = 0.05  # an exit is worth keeping where the last one gains no more than this
GOOD_OVERLAP = 0.6
_STEPS, _POINTS = 21, 11
_LEVEL = 0.9


@dataclass(frozen=True)
class Sweep:
    """One choice of thresholds on the table: what it costs, relative to the last exit, and its mean overlap."""

    thetas: Tuple[float, ...]
    cost: float
    overlap: float


def tune(table: ExitTable, score: str | None = None) -> TunedPoints:
    """Choose thresholds.

    Args:
        table: of the tuning videos.
        score: whose thresholds; by default the one that ranks best by whether the last exit would gain.

    Raises:
        UsageError: the exits have no such score.
    """
    ranks = {name: score_ranks(table, name) for name in table.score_names}
    chosen = score or max(ranks, key=lambda name: np.mean([auc or 0.0 for auc in ranks[name]["keep"]]))
    ends = [_swept(table, table.score(chosen), [theta] * (len(table.macs) - 1)) for theta in (0.0, 1.0)]
    picked = named_points(pareto(sweep(table, chosen)), *ends)
    default = default_point(table, chosen, picked)
    figures: dict[str, Any] = {
        name: {"cost": point.cost, "overlap": point.overlap, "loss_bound": _lowest_loss(table, chosen, point.thetas)}
        for name, point in picked.items()
    }
    return TunedPoints(
        dict(table.engines),
        chosen,
        {name: list(point.thetas) for name, point in picked.items()},
        default,
        stage_p99_ns(table),
        dict(table.sequences),
        {"points": figures, "auc": ranks, "videos": len(table.names), "frames": len(table.video)},
    )


def score_ranks(table: ExitTable, name: str) -> dict[str, list[float | None]]:
    """How well a score of each exit but the last ranks frames: by whether depth helps, and by being right."""
    scores, overlaps = table.score(name), table.overlaps
    keep = overlaps[:, -1:] - overlaps[:, :-1] <= KEEP_LOSS
    good = overlaps[:, :-1] >= GOOD_OVERLAP
    return {
        kind: [rank_auc(scores[:, number], labels[:, number]) for number in range(scores.shape[1])]
        for kind, labels in (("keep", keep), ("good", good))
    }


def sweep(table: ExitTable, score: str) -> list[Sweep]:
    """The first and the last exit alone, and thresholds at quantiles of the scores, in all combinations."""
    scores = table.score(score)
    quantiles = np.linspace(0, 1, _STEPS)
    grid = [sorted({0.0, 1.0, *np.quantile(column, quantiles).tolist()}) for column in scores.T]
    return [_swept(table, scores, thetas) for thetas in itertools.product(*grid)]


def pareto(points: Sequence[Sweep]) -> list[Sweep]:
    """The points that no other beats in cost and overlap, by rising cost; of equals the first."""
    front: list[Sweep] = []
    for point in sorted(points, key=lambda point: (point.cost, -point.overlap)):
        if not front or point.overlap > front[-1].overlap:
            front.append(point)
    return front


def named_points(front: Sequence[Sweep], first: Sweep, last: Sweep) -> dict[str, Sweep]:
    """Eleven points, named by how far their cost lies between the *first* exit's and the *last*'s; no cost falls.

    ``0.0`` is the first exit and ``1.0`` the last, whatever the front says.
    """
    points = {"0.0": first}
    for step in range(1, _POINTS - 1):
        share = step / (_POINTS - 1)
        limit = first.cost + share * (last.cost - first.cost)
        points[f"{share:.1f}"] = max((point for point in front if point.cost <= limit), key=lambda point: point.cost)
    return {**points, "1.0": last}


def default_point(table: ExitTable, score: str, points: dict[str, Sweep]) -> str:
    """The cheapest point whose loss to the last exit is surely small; the last exit where there is none."""
    for name, point in sorted(points.items(), key=lambda item: item[1].cost):
        if _lowest_loss(table, score, point.thetas) >= -ALLOWED_LOSS:
            return name
    return "1.0"


def stage_p99_ns(table: ExitTable) -> list[int]:
    """The 99th percentile of each stage's time, with crop and decode: a frame that stops there needs a box."""
    whole = table.stage_ns + table.outside_ns[:, np.newaxis]
    return [int(np.percentile(column, 99)) for column in whole.T]


def _swept(table: ExitTable, scores: Array, thetas: Sequence[float]) -> Sweep:
    exits = exits_at(scores, thetas)
    names = table.names
    cost = table.mean(table.shares[exits - 1], names)
    return Sweep(tuple(thetas), cost, table.mean(taken_of(table.overlaps, exits), names))


def _lowest_loss(table: ExitTable, score: str, thetas: Sequence[float]) -> float:
    """The lower bound of the overlap relative to the last exit's, over resampled videos."""
    exits = exits_at(table.score(score), thetas)
    gains = taken_of(table.overlaps, exits) - table.overlaps[:, -1]
    of_video = {name: float(gains[table.of([name])].mean()) for name in table.names}
    low, _ = interval(table.names, lambda names: float(np.mean([of_video[name] for name in names])), _LEVEL)
    return low
