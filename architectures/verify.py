"""``python -m architectures verify``: did a search find more than chance, at as many judgements and the same limits?

Each run is a folder of ``search``. What a run found on split A is what it chose by, so split B is what counts: its
networks there were never chosen from. An exact test of ranks says how likely such a difference is by chance.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata

from architectures.fronts import Front, compared, price
from siamtrt import UsageError, cli
from siamtrt.documents import Format
from siamtrt.environment import describe

_VERIFIED = Format("a comparison of searches", schema=2, hint="python -m architectures verify", kind="verify")
_MEASURES = ("hypervolume_a", "hypervolume_b", "best_b")
_MOST = 10  # runs a side: 184,756 ways to deal twenty ranks


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
    sides = compared(options.searched, options.random)
    if max(map(len, sides)) > _MOST:
        raise UsageError(f"more than {_MOST} runs a side", hint="fewer do: five against five can show p = 0.0079")
    runs = [run for side in sides for run in side]
    if not any(price(row) < options.price for run in runs for row in run.rows):
        raise UsageError(
            f"no network costs less than {options.price:g}", hint="a larger --price, in the unit of the runs"
        )
    measures: dict[str, Any] = {}
    lines = []
    for name in _MEASURES:
        searched, drawn = ([measure(run, name, options.price, options.overlap) for run in side] for side in sides)
        p = exact_p(searched, drawn)
        measures[name] = {"searched": searched, "random": drawn, "p": p}
        values = " ".join(f"{value:.4g}" for value in searched), " ".join(f"{value:.4g}" for value in drawn)
        lines.append(f"{name:14} searched {values[0]}  random {values[1]}  p {p:.4f}")
    settings = {"price": options.price, "overlap": options.overlap, "judged": runs[0].judged}
    provenance = {
        "command": cli.command_line("architectures"),
        "environment": describe(),
        "runs": {str(run.folder): {"front": run.digest, "strategy": run.strategy, "seed": run.seed} for run in runs},
        "conditions": runs[0].conditions,
    }
    _VERIFIED.save(options.out, {**provenance, **settings, "measures": measures})
    cli.show(options, "\n".join(lines), {**settings, "measures": measures})


def measure(run: Front, name: str, most: float, worst: float) -> float:
    """One of the measures of *run*; *most* and *worst* are the price and the overlap that a hypervolume starts from."""
    if name == "best_b":
        return float(max(run.rows, key=lambda row: float(row["overlap"]))["overlap_b"])
    overlap = {"hypervolume_a": "overlap", "hypervolume_b": "overlap_b"}[name]
    return hypervolume([(price(row), float(row[overlap])) for row in run.rows], most, worst)


def exact_p(one: Sequence[float], other: Sequence[float]) -> float:
    """How likely the ranks of two samples lie so far apart by chance: every way to deal them is counted.

    Two-sided. Equal values share their mean rank, which the test of Mann and Whitney in its exact form leaves out.
    """
    ranks = rankdata([*one, *other])
    middle = ranks.mean() * len(one)
    apart = np.array([abs(sum(dealt) - middle) for dealt in combinations(ranks, len(one))])
    return float(np.mean(apart >= abs(ranks[: len(one)].sum() - middle) - 1e-9))


def hypervolume(points: Sequence[tuple[float, float]], most: float, worst: float) -> float:
    """The area between the points (price, overlap) and the reference (*most*, *worst*)."""
    area, reached = 0.0, worst
    for cost, overlap in sorted(points):
        if overlap > reached and cost < most:
            area += (most - cost) * (overlap - reached)
            reached = overlap
    return area
