"""``python -m architectures rank``: does a supernet rank its members as their own training does?

Some of the networks that a search judged, a share from each quarter of their work, are trained alone from the weights
they inherit. The agreement of the two rankings on split B is shown beside that of the work alone: a supernet that only
knows that larger is better has found nothing.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from scipy.stats import kendalltau

from architectures.archive import Archive, Judged
from architectures.judge import MODEL, SPLITS, Bench, Request, judge, open_bench
from architectures.search import ARCHIVE_NAME, key
from networks.checkpoint import load
from networks.lighttrack.architecture import parse
from siamtrt import UsageError, claim, cli
from siamtrt.documents import Format
from siamtrt.files import whole_file
from training.config import Config
from training.loop import BEST_NAME, Loop
from training.place import CPU
from training.report import write_report
from training.tasks import open_task

_FORMAT = Format("a ranking", schema=1, hint="python -m architectures rank", kind="rank")
_QUARTERS = 4
_SIGNIFICANT = 1.96  # standard deviations, two-sided 5 %


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
    weights, trained = options.supernet or options.weights, options.supernet is not None
    request = Request(weights, trained, options.config, options.data, options.pairs, split=SPLITS[1])
    bench, config = open_bench(request), Config.load(options.config)
    ranked = []
    for number, judged in enumerate(spaced(list(Archive(options.search / ARCHIVE_NAME)), options.each)):
        place = options.out / f"network_{number:02d}"
        claim.take(place / "claim.json", {**key(request), "architecture": judged.architecture})
        overlap = _trained_alone(judged.architecture, bench, config, options.data, place)
        inherited = judge(request, judged.architecture).overlap
        ranked.append(Ranked(judged.architecture, inherited, overlap, judged.macs))
    alone, chance = [one.alone for one in ranked], chance_level(len(ranked))
    tau = agreement([one.inherited for one in ranked], alone)
    of_work = agreement([float(one.macs) for one in ranked], alone)
    values = {"networks": [vars(one) for one in ranked], "tau": tau, "tau_of_work": of_work, "chance": chance}
    _FORMAT.save(options.out / "ranking.json", values)
    cli.show(options, f"tau {as_text(tau)}, of work alone {as_text(of_work)}, by chance within +-{chance:.3f}", values)


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


def as_text(tau: float | None) -> str:
    """A tau for a line of text."""
    return "unknown, all values of one ranking are equal" if tau is None else f"{tau:.3f}"


def chance_level(count: int) -> float:
    """The size of tau that *count* networks reach by chance in one case of twenty, by the normal approximation."""
    return _SIGNIFICANT * math.sqrt(2 * (2 * count + 5) / (9 * count * (count - 1)))


def _trained_alone(text: str, bench: Bench, config: Config, data: Path, out: Path) -> float:
    """Overlap of the network called *text* on split B after its own training, whose last weights no video chose."""
    start = out / "start.pth"
    if not start.is_file():
        with whole_file(start) as temporary:
            torch.save(bench.member(parse(text)).state_dict(), temporary)
    task: dict[str, object] = {"kind": "ban", "model": MODEL, "start": str(start)}
    task["trunk_lr_share"] = config.task.get("trunk_lr_share", 0.1)
    own = replace(config, task=task, validate_steps=config.steps)
    Loop(open_task(own, data, CPU), own, out, CPU, lambda history: write_report(history, out)).run()
    return float(bench.held_out.overlaps(load(MODEL, out / BEST_NAME)).mean())
