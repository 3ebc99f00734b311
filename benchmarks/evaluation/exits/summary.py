"""What a run of policies says: quality, cost, times, and whether looking at the frame bought anything."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Mapping, Sequence

import numpy as np

from benchmarks.evaluation.exits.measures import Point, chance, exits_at, hull_value, interval, oracle, taken_of
from benchmarks.evaluation.exits.run import WHOLE
from benchmarks.evaluation.exits.table import ExitTable
from benchmarks.evaluation.exits.tune import score_ranks
from benchmarks.evaluation.exits.verdict import verdict
from benchmarks.evaluation.ope.measures import OVERLAP_THRESHOLDS
from runtime.policies.parse import TunedPoints
from siamtrt import Array, UsageError

FIXED = "fixed:"
NO_POWER = "no rails are read in this run: benchmarks power on a board"
_LEVEL, _ROUNDS = 0.95, 300
_SEEDS = 10  # of chance, on a table
_PRICES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 1.0)

Columns = Mapping[str, Mapping[str, Any]]  # video -> what a row did there


@dataclass(frozen=True)
class RowSummary:
    """One row over all videos; a video counts as much as another.

    Attributes:
        overlap: mean overlap.
        success_auc: area under the success curve of the frames after the first.
        cost: multiply-accumulates a frame relative to the last exit's; 1 for the model as one search.
        macs: a frame.
        network_ms: median of all graphs.
        ms: median, p95, p99 and largest of the whole call.
        fps: frames by the sum of the calls.
        histogram: share of frames at each exit.
        switches_per_100: how often two frames in a row took different exits.
        hull_gain: overlap above what a coin between fixed exits buys at this cost; None for fixed rows.
        hull_gain_interval: 95 % of it, over resampled videos.
        joules_a_frame: None, and ``no_joules`` says why.
    """

    overlap: float
    success_auc: float
    cost: float
    macs: float
    network_ms: float
    ms: dict[str, float]
    fps: float
    histogram: list[float]
    switches_per_100: float
    hull_gain: float | None
    hull_gain_interval: list[float] | None
    joules_a_frame: float | None = None
    no_joules: str = NO_POWER


def summarise(about: Mapping[str, Any], rows: Mapping[str, Columns]) -> dict[str, RowSummary]:
    """Each row of a finished run.

    Raises:
        UsageError: the run lacks a fixed exit, which the hull is made of.
    """
    shares = np.cumsum(about["macs"]) / sum(about["macs"])
    fixed = [f"{FIXED}{number}" for number in range(1, len(shares) + 1)]
    missing = [name for name in fixed if name not in rows]
    if missing:
        raise UsageError(f"the run has no row {', '.join(missing)}", hint="python -m benchmarks exits run --help")
    overlaps = {name: {video: _overlap(column) for video, column in videos.items()} for name, videos in rows.items()}
    return {name: _summary(name, videos, overlaps, fixed, shares, about) for name, videos in rows.items()}


def _summary(
    name: str,
    videos: Columns,
    overlaps: Mapping[str, Mapping[str, float]],
    fixed: Sequence[str],
    shares: Array,
    about: Mapping[str, Any],
) -> RowSummary:
    columns = list(videos.values())
    total_ms, network_ms = (
        np.concatenate([column[kind] for column in columns]) / 1e6 for kind in ("total_ns", "network_ns")
    )
    costs = {
        video: float(shares[np.array(column["exits"]) - 1].mean())
        for video, column in videos.items()
        if column["exits"]
    }
    exits = [column["exits"] for column in columns if column["exits"]]
    counts = np.bincount(np.concatenate(exits), minlength=len(shares) + 1)[1:] if exits else np.zeros(len(shares))
    pairs = sum(len(column) - 1 for column in exits)
    switches = sum(int((np.diff(column) != 0).sum()) for column in exits)
    cost = float(np.mean(list(costs.values()))) if costs else 1.0
    gain = None
    bounds = None
    if costs and name not in fixed:

        def hull_gain(names: Sequence[str]) -> float:
            points: list[Point] = [
                (float(share), float(np.mean([overlaps[row][video] for video in names])))
                for row, share in zip(fixed, shares)
            ]
            spent = float(np.mean([costs[video] for video in names]))
            return float(np.mean([overlaps[name][video] for video in names])) - hull_value(points, spent)

        gain = hull_gain(list(videos))
        bounds = list(interval(list(videos), hull_gain, _LEVEL))
    return RowSummary(
        overlap=float(np.mean(list(overlaps[name].values()))),
        success_auc=float(np.mean([_success(column) for column in columns])),
        cost=cost,
        macs=cost * sum(about["macs"]),
        network_ms=float(np.median(network_ms)),
        ms={
            "p50": float(np.median(total_ms)),
            "p95": float(np.percentile(total_ms, 95)),
            "p99": float(np.percentile(total_ms, 99)),
            "max": float(total_ms.max()),
        },
        fps=float(1000 * len(total_ms) / total_ms.sum()),
        histogram=(counts / max(1, counts.sum())).tolist(),
        switches_per_100=100 * switches / max(1, pairs),
        hull_gain=gain,
        hull_gain_interval=bounds,
    )


def _overlap(column: Mapping[str, Any]) -> float:
    return float(np.mean([value for value in column["overlaps"] if value is not None]))


def _success(column: Mapping[str, Any]) -> float:
    known = np.array([value for value in column["overlaps"] if value is not None])
    return float(np.mean([(known > threshold).mean() for threshold in OVERLAP_THRESHOLDS]))


def open_loop(table: ExitTable) -> dict[str, Any]:
    """What the table of the same videos says: fixed exits, and the most that choosing frame by frame could buy.

    The oracle knows the truth: it takes the exit of the largest overlap less a price for its cost. Its crops are those
    of the last exit's way, so it is a bound of the table, not of a run.
    """
    shares, names = table.shares, table.names
    fixed = [
        {"exit": number + 1, "cost": float(share), "overlap": table.mean(table.overlaps[:, number], names)}
        for number, share in enumerate(shares)
    ]
    points = []
    for price in _PRICES:
        exits = oracle(table.overlaps, shares.tolist(), price)
        cost = table.mean(shares[exits - 1], names)
        overlap = table.mean(taken_of(table.overlaps, exits), names)
        above = overlap - hull_value([(row["cost"], row["overlap"]) for row in fixed], cost)
        points.append({"price": price, "cost": cost, "overlap": overlap, "hull_gain": above})
    return {"fixed": fixed, "oracle": points, "frames": len(table.video), "videos": len(names)}


def tuned_points(table: ExitTable, tuned: TunedPoints) -> dict[str, Any]:
    """What thresholds that were chosen elsewhere are worth on the table, above the hull of its fixed exits.

    Beside each point stands chance: the same mix of exits in other frames, whose overlap counts frames, not videos, as
    does ``frames_overlap``; ``expected`` is what it has to be by the mix alone.

    Raises:
        UsageError: the exits have no such score.
    """
    scores, shares = table.score(tuned.score), table.shares

    def point(thetas: Sequence[float]) -> dict[str, Any]:
        exits = exits_at(scores, thetas)
        costs, taken = shares[exits - 1], taken_of(table.overlaps, exits)

        def gain(names: Sequence[str]) -> float:
            fixed = [(float(share), table.mean(table.overlaps[:, at], names)) for at, share in enumerate(shares)]
            return table.mean(taken, names) - hull_value(fixed, table.mean(costs, names))

        names = table.names
        bounds = interval(names, gain, _LEVEL, rounds=_ROUNDS)
        drawn = chance(table.overlaps, exits, _SEEDS)
        mix = np.bincount(exits, minlength=len(shares) + 1)[1:] / len(exits)
        return {
            "mix": mix.tolist(),
            "frames_overlap": float(taken.mean()),
            "chance": {
                "overlap": float(np.mean(drawn)),
                "deviation": float(np.std(drawn, ddof=1)),
                "expected": float(mix @ table.overlaps.mean(0)),
                "seeds": _SEEDS,
            },
            "cost": table.mean(costs, names),
            "overlap": table.mean(taken, names),
            "hull_gain": gain(names),
            "hull_gain_interval": list(bounds),
        }

    ranks = score_ranks(table, tuned.score)
    return {"ranks": ranks, "points": {name: point(thetas) for name, thetas in tuned.points.items()}}


def document(
    about: Mapping[str, Any],
    summaries: Mapping[str, RowSummary],
    table: ExitTable | None,
    tuned: Sequence[TunedPoints] = (),
) -> dict[str, Any]:
    """The figures of a report, JSON-ready; *tuned* are judged on the *table*, if there is one."""
    if tuned and table is None:
        raise UsageError("thresholds are judged on a table", hint="--table FILE.npz, of the videos of the run")
    loop = open_loop(table) if table else None
    if table and loop is not None:
        loop["tuned"] = {points.score: tuned_points(table, points) for points in tuned}
    rows = {name: asdict(summary) for name, summary in summaries.items()}
    return {
        **about,
        "videos": len(about["sequences"]),
        "rows": rows,
        "open_loop": loop,
        "verdict": asdict(verdict(rows, loop, len(about["sequences"]))),
    }


def open_loop_text(loop: Mapping[str, Any]) -> str:
    """A line a tuned point for the terminal."""
    lines = [f"{'open loop':12} {'cost':>6} {'overlap':>8}  {'over the hull':27}  over chance, its deviation"]
    for score, judged in loop["tuned"].items():
        for name, point in judged["points"].items():
            low, high = point["hull_gain_interval"]
            lines.append(
                f"{score:7} {name:4} {point['cost']:6.3f} {point['overlap']:8.3f}  "
                f"{point['hull_gain']:+.4f} ({low:+.4f} to {high:+.4f})  "
                f"{point['frames_overlap'] - point['chance']['overlap']:+.4f}, {point['chance']['deviation']:.4f}"
            )
    return "\n".join(lines)


def text(summaries: Mapping[str, RowSummary]) -> str:
    """A line a row for the terminal, worst cases first."""
    heads = f"{'max':>7} {'p99':>7} {'p50':>7} {'network':>8} {'cost':>6} {'overlap':>8} {'AUC':>6}"
    lines = [f"{'ms':28} {heads}  {'over the hull':22} exits"]
    whole = summaries.get(WHOLE)
    for name, row in summaries.items():
        gain = ""
        if row.hull_gain is not None and row.hull_gain_interval:
            low, high = row.hull_gain_interval
            gain = f"{row.hull_gain:+.3f} ({low:+.3f} to {high:+.3f})"
        ratio = f"{row.network_ms / whole.network_ms:8.3f}" if whole else f"{row.network_ms:6.2f}ms"
        shares = " ".join(f"{share:.2f}" for share in row.histogram) if sum(row.histogram) else ""
        lines.append(
            f"{name[:28]:28} {row.ms['max']:7.1f} {row.ms['p99']:7.1f} {row.ms['p50']:7.1f} {ratio} {row.cost:6.3f} "
            f"{row.overlap:8.3f} {row.success_auc:6.3f}  {gain:22} {shares}".rstrip()
        )
    return "\n".join(lines)
