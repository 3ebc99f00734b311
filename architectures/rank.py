"""``python -m architectures rank``: does a supernet rank its members as their own training does?

Some of the networks that a search judged, a share from each quarter of their work, are trained alone from the weights
they inherit. The agreement of the two rankings on split B is shown beside that of the work alone, and among networks of
about the same work: a supernet that only knows that larger is better has found nothing.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scipy.stats import kendalltau

from architectures.alone import trained_alone
from architectures.archive import Archive, Judged
from architectures.judge import SPLITS, Request, judge, open_bench
from architectures.search import ARCHIVE_NAME, key, stood_on
from siamtrt import ArtifactError, UsageError, claim, cli
from siamtrt.documents import Format
from siamtrt.environment import describe
from training.config import Config

_FORMAT = Format("a ranking", schema=2, hint="python -m architectures rank", kind="rank")
_QUARTERS = 4
_SIGNIFICANT = 1.96  # standard deviations, two-sided 5 %
_ALIKE = 0.1  # of the larger one's work


def add_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the options."""
    arguments.add_argument("--search", type=Path, required=True, help="folder of a search")
    source = arguments.add_mutually_exclusive_group(required=True)
    source.add_argument("--supernet", type=Path, help="as the search was given it")
    source.add_argument("--weights", type=Path, help="as the search was given it")
    arguments.add_argument("--config", type=Path, required=True, help="of the training; its steps and rates are taken")
    arguments.add_argument("--data", type=Path, required=True, help="the folder that the sources are below")
    arguments.add_argument("--each", type=cli.count, default=3, help="networks of each quarter")
    arguments.add_argument("--pairs", type=cli.count, default=128, help="held-out pairs of split B")
    arguments.add_argument("--steps", type=cli.count, help="of each training; the configuration's by default")
    arguments.add_argument("--out", type=Path, required=True, help="folder for the trainings and ranking.json")
    cli.add_json(arguments)


@dataclass(frozen=True)
class Ranked:
    """A network by three measures: overlap with inherited and with trained weights on split B, and its work."""

    architecture: str
    inherited: float
    alone: float
    macs: int


def main(options: argparse.Namespace) -> None:
    """Train, rank, write the raw values and print the agreement. A rerun resumes the trainings."""
    if not (options.search / ARCHIVE_NAME).is_file():
        raise ArtifactError(f"there is no search in {options.search}", hint="--search takes what search had as --out")
    weights, trained = options.supernet or options.weights, options.supernet is not None
    request = Request(weights, trained, options.config, options.data, options.pairs, split=SPLITS[1])
    bench, config = open_bench(request), Config.load(options.config)
    steps = options.steps or config.steps
    ranked = []
    for number, judged in enumerate(spaced(list(Archive(options.search / ARCHIVE_NAME)), options.each)):
        place = options.out / f"network_{number:02d}"
        claim.take(place / "claim.json", {**key(request), "steps": steps, "architecture": judged.architecture})
        overlap = trained_alone(judged.architecture, bench, replace(config, steps=steps), options.data, place)
        inherited = judge(request, judged.architecture).overlap
        ranked.append(Ranked(judged.architecture, inherited, overlap, judged.macs))
    alone, chance = [one.alone for one in ranked], chance_level(len(ranked))
    tau = agreement([one.inherited for one in ranked], alone)
    of_work = agreement([float(one.macs) for one in ranked], alone)
    alike, pairs = alike_agreement(ranked)
    taus = {"tau": tau, "tau_of_work": of_work, "tau_alike": alike, "pairs_alike": pairs, "chance": chance}
    values = {"networks": [vars(one) for one in ranked], "steps": steps, "pairs_a_step": config.data.batch, **taus}
    provenance = {"command": cli.command_line("architectures"), "environment": describe(), **stood_on(request)}
    _FORMAT.save(options.out / "ranking.json", {**provenance, **values})
    whole = f"tau {as_text(tau)}, of work alone {as_text(of_work)}, by chance within +-{chance:.3f}"
    within = "no two of like work" if alike is None else f"{alike:.3f} over the {pairs} pairs of like work"
    cli.show(options, f"{whole}; {within}", values)


def spaced(judged: list[Judged], each: int) -> list[Judged]:
    """*each* networks of each quarter of the work, evenly spaced in it.

    Raises:
        UsageError: there are too few.
    """
    if len(judged) < _QUARTERS * each:
        raise UsageError(f"{len(judged)} networks were judged, {_QUARTERS * each} are wanted", hint="a smaller --each")
    ordered = sorted(judged, key=lambda one: (one.macs, one.architecture))
    count = _QUARTERS * each
    return [ordered[int((index + 0.5) * len(ordered) / count)] for index in range(count)]


def agreement(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Kendall's tau-b of two rankings, -1..1; None where all values of one are equal, which rank nothing."""
    tau = float(kendalltau(one, other).statistic)
    return None if math.isnan(tau) else tau


def alike_agreement(ranked: Sequence[Ranked]) -> tuple[float | None, int]:
    """Kendall's tau over the pairs of networks whose work differs by a tenth at most, and how many those are.

    None without such a pair. A pair that is equal by one measure counts as neither in order nor out of it.
    """
    alike = [
        (one.inherited - other.inherited) * (one.alone - other.alone)
        for one, other in itertools.combinations(ranked, 2)
        if abs(one.macs - other.macs) <= _ALIKE * max(one.macs, other.macs)
    ]
    signs = [(product > 0) - (product < 0) for product in alike]
    return (sum(signs) / len(signs) if signs else None), len(signs)


def as_text(tau: float | None) -> str:
    """A tau for a line of text."""
    return "unknown, all values of one ranking are equal" if tau is None else f"{tau:.3f}"


def chance_level(count: int) -> float:
    """The size of tau that *count* networks reach by chance in one case of twenty, by the normal approximation."""
    return _SIGNIFICANT * math.sqrt(2 * (2 * count + 5) / (9 * count * (count - 1)))
