"""``python -m architectures verify``: did a search find more than chance, at as many judgements and the same limits?

Each run is a folder of ``search``. What a run found on split A is what it chose by, so split B is what counts: its
networks there were never chosen from. An exact test of ranks says how likely such a difference is by chance.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import mannwhitneyu

from architectures.search import FORMAT, FRONT_NAME
from siamtrt import UsageError, cli
from siamtrt.documents import Format

_VERIFIED = Format("a comparison of searches", schema=1, hint="python -m architectures verify", kind="verify")
_MEASURES = ("hypervolume_a", "hypervolume_b", "best_b")


def add_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the options."""
    arguments.add_argument("--searched", type=Path, nargs="+", required=True, help="folders of searches")
    arguments.add_argument("--random", type=Path, nargs="+", required=True, help="folders of searches by chance")
    arguments.add_argument("--price", type=float, required=True, help="reference of the hypervolume: ms or MMAC")
    arguments.add_argument("--overlap", type=float, default=0.0, help="reference of the hypervolume: the worst overlap")
    arguments.add_argument("--out", type=Path, required=True, help="the comparison with its raw values, a JSON file")
    cli.add_json(arguments)


def main(options: argparse.Namespace) -> None:
    """Compare, write the raw values, and print one line a measure."""
    sides = [[_read(folder) for folder in folders] for folders in (options.searched, options.random)]
    judged = _require_alike([run for side in sides for run in side])
    rows: dict[str, Any] = {}
    lines = []
    for measure in _MEASURES:
        searched, drawn = ([run.measure(measure, options.price, options.overlap) for run in side] for side in sides)
        p = float(mannwhitneyu(searched, drawn, alternative="two-sided", method="exact").pvalue)
        rows[measure] = {"searched": searched, "random": drawn, "p": p}
        values = " ".join(f"{value:.4g}" for value in searched), " ".join(f"{value:.4g}" for value in drawn)
        lines.append(f"{measure:14} searched {values[0]}  random {values[1]}  p {p:.4f}")
    settings = {"price": options.price, "overlap": options.overlap, "judged": judged}
    _VERIFIED.save(options.out, {**settings, "measures": rows})
    cli.show(options, "\n".join(lines), {**settings, "measures": rows})


@dataclass(frozen=True)
class _Run:
    """What a search left behind: of each network on its front the price and the overlap on both splits."""

    judged: int
    conditions: dict[str, Any]
    rows: list[dict[str, Any]]

    def measure(self, name: str, price: float, worst: float) -> float:
        if name == "best_b":
            return float(max(self.rows, key=lambda row: float(row["overlap"]))["overlap_b"])
        key = {"hypervolume_a": "overlap", "hypervolume_b": "overlap_b"}[name]
        return hypervolume([(_price(row), float(row[key])) for row in self.rows], price, worst)


def _read(folder: Path) -> _Run:
    document = FORMAT.load(folder / FRONT_NAME)
    return _Run(document["judged"], document["conditions"], document["front"])


def _require_alike(runs: list[_Run]) -> int:
    """How many networks each run judged.

    Raises:
        UsageError: not all the same number, or under other conditions.
    """
    counts = {run.judged for run in runs}
    if len(counts) > 1:
        raise UsageError(f"the runs judged {sorted(counts)} networks", hint="compare runs of equal length")
    first = runs[0].conditions
    differing = [name for name in first if any(run.conditions.get(name) != first[name] for run in runs)]
    if differing:
        hint = "compare runs of the same weights, pairs, table and limits"
        raise UsageError(f"the runs differ in {', '.join(differing)}", hint=hint)
    return counts.pop()


def _price(row: dict[str, Any]) -> float:
    return float(row["macs"]) / 1e6 if row["milliseconds"] is None else float(row["milliseconds"])


def hypervolume(points: Sequence[tuple[float, float]], price: float, worst: float) -> float:
    """The area between the points (price, overlap) and the reference (*price*, *worst*)."""
    area, reached = 0.0, worst
    for cost, overlap in sorted(points):
        if overlap > reached and cost < price:
            area += (price - cost) * (overlap - reached)
            reached = overlap
    return area
