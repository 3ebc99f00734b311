"""``python -m architectures search``: the best networks of a supernet within limits."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import torch

from architectures.archive import Archive, Judged, front
from architectures.cost import total
from architectures.drawing import draw_networks
from architectures.judge import SPLITS, Bench, Request, judge, open_bench, split_videos
from architectures.picture import draw
from architectures.strategies import Choices, draw_at_random, evolve
from benchmarks.trials.place import declare_place, opened
from benchmarks.trials.spread import Where, spread
from networks.lighttrack.architecture import Architecture, parse
from networks.lighttrack.space import Genes
from siamtrt import Manifest, UsageError, claim, cli
from siamtrt.documents import Format
from siamtrt.environment import describe
from siamtrt.files import sha256, whole_file

ARCHIVE_NAME, FRONT_NAME, PICTURE_NAME, BEST_NAME = "archive.jsonl", "front.json", "front.png", "best.pth"
NETWORKS_NAME, ARCHIVE_B_NAME = "networks.png", "archive_b.jsonl"
FORMAT = Format("a front", schema=3, hint="python -m architectures search", kind="front")
BY_CHANCE = "random"
_STRATEGIES = ("nsga2", "ga", BY_CHANCE)
_SETTINGS = ("strategy", "seed", "population", "generations", "pairs", "keep_towers", "keep_blocks")

log = logging.getLogger(__name__)


def add_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the options."""
    source = arguments.add_mutually_exclusive_group(required=True)
    source.add_argument("--supernet", type=Path, help="best.pth of a training of the kind supernet")
    source.add_argument("--weights", type=Path, help="weights of a LightTrack, shrunk without training")
    arguments.add_argument("--config", type=Path, required=True, help="of the training: sources and held-out videos")
    arguments.add_argument("--data", type=Path, required=True, help="the folder that the sources are below")
    arguments.add_argument("--out", type=Path, required=True, help="folder for archive, front and best weights")
    arguments.add_argument(
        "--strategy", choices=_STRATEGIES, default="nsga2", help="nsga2 for a front, ga for one best"
    )
    arguments.add_argument("--population", type=cli.count, default=25, help="networks a generation")
    arguments.add_argument("--generations", type=cli.count, default=40)
    arguments.add_argument("--pairs", type=cli.count, default=128, help="held-out pairs a network is judged on")
    arguments.add_argument("--latency", type=Path, help="a latency table, see python -m architectures lut")
    arguments.add_argument("--limit-ms", type=float, help="largest milliseconds by the latency table")
    arguments.add_argument("--limit-mmac", type=float, help="largest millions of multiply-accumulates")
    arguments.add_argument("--limit-parameters", type=cli.count)
    arguments.add_argument(
        "--keep-towers",
        action="store_true",
        help="shrink the backbone alone, as suits --weights",
    )
    arguments.add_argument("--keep-blocks", action="store_true", help="shrink towers and number of blocks alone")
    declare_place(arguments, "networks")
    arguments.add_argument("--seed", type=cli.seed, default=0)
    cli.add_json(arguments)


@dataclass(frozen=True)
class Limits:
    """What a network may cost; None for no limit."""

    milliseconds: float | None
    mmac: float | None
    parameters: int | None

    def allow(self, architecture: Architecture, milliseconds: float | None) -> bool:
        """Whether *architecture*, which takes so many *milliseconds*, keeps them."""
        cost = total(architecture)
        costs = (milliseconds, cost.macs / 1e6, cost.parameters)
        limits = (self.milliseconds, self.mmac, self.parameters)
        return all(limit is None or (cost is not None and cost <= limit) for cost, limit in zip(costs, limits))


def main(options: argparse.Namespace) -> None:
    """Search, then print the front."""
    if options.limit_ms is not None and options.latency is None:
        raise UsageError("a limit in milliseconds needs a latency table", hint="--latency FILE")
    request = Request(
        options.supernet or options.weights,
        options.supernet is not None,
        options.config,
        options.data,
        options.pairs,
        latency=options.latency,
        towers=not options.keep_towers,
        blocks=not options.keep_blocks,
    )
    claim.take(options.out / "claim.json", key(request))
    bench = open_bench(request)  # before processes are made: they share it
    limits = Limits(options.limit_ms, options.limit_mmac, options.limit_parameters)
    with opened(options, options.out, mounted=[options.data]) as place:
        run = _Run(Archive(options.out / ARCHIVE_NAME), request, bench, limits, place.many)
        _search(run, options)
    _write(run, options)


def _search(run: _Run, options: argparse.Namespace) -> None:
    choices = Choices(run.bench.space.sizes, run.string, run.allowed)
    if options.strategy == BY_CHANCE:
        count = options.population * options.generations
        draw_at_random(choices, run.judge, count=count, batch=options.population, seed=options.seed)
        return
    run.aims = 1 if options.strategy == "ga" else 2
    evolve(
        choices,
        run.judge,
        aims=run.aims,
        population=options.population,
        generations=options.generations,
        seed=options.seed,
    )


class _Run:
    """One search: what it asked for, and the archive it shares with earlier ones."""

    def __init__(
        self, archive: Archive, request: Request, bench: Bench, limits: Limits, place: Where[str, Judged]
    ) -> None:
        self.archive, self.request, self.bench, self.limits, self._place = archive, request, bench, limits, place
        self.asked: list[str] = []
        self.aims = 2

    def string(self, genes: Genes) -> str:
        """The canonical string, which names a network."""
        return str(self.bench.space.architecture(genes))

    def allowed(self, genes: Genes) -> bool:
        """Whether the network keeps the limits."""
        architecture = self.bench.space.architecture(genes)
        return self.limits.allow(architecture, self.bench.price_ms(architecture))

    def judge(self, asked: list[Genes]) -> Sequence[Sequence[float]]:
        """The aims of each network, from the archive where it was judged before."""
        names = [self.string(genes) for genes in asked]
        missing = [name for name in names if self.archive.get(name) is None]
        for _, judged in spread(partial(judge, self.request), missing, self._place, "judge"):
            self.archive.add(judged)
        self.asked += names
        found = [judged for judged in map(self.archive.get, names) if judged]
        log.info("judged %d networks, best overlap %.3f", len(self.asked), max(one.overlap for one in self.judged()))
        return [(1 - one.overlap, one.price)[: self.aims] for one in found]

    def judged(self) -> list[Judged]:
        """Everything this run asked for."""
        return [judged for judged in map(self.archive.get, self.asked) if judged]


def _write(run: _Run, options: argparse.Namespace) -> None:
    """Judge the front and the largest network on the other videos; then weights, picture, front and manifest."""
    chosen = front(run.judged())
    largest = str(run.bench.space.parent)
    second = _on_the_other_split(run.request, [*(one.architecture for one in chosen), largest], options.out)
    rows = [{**_without(one), "overlap": one.overlap, "overlap_b": second[one.architecture]} for one in chosen]
    best = max(chosen, key=lambda one: one.overlap)
    state = run.bench.member(parse(best.architecture)).state_dict()
    with whole_file(options.out / BEST_NAME) as temporary:
        torch.save({key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}, temporary)
    draw(run.judged(), chosen, options.out / PICTURE_NAME)
    draw_networks(_titled(chosen, second, largest), options.out / NETWORKS_NAME)
    judged = {"judged": len(run.asked), "largest": {"architecture": largest, "overlap_b": second[largest]}}
    drawn = {name: getattr(options, name) for name in ("strategy", "seed", "population", "generations")}
    FORMAT.save(options.out / FRONT_NAME, {"front": rows, **judged, "run": drawn, "conditions": _conditions(run)})
    asked = {one.architecture: one for one in run.judged()}
    Manifest.of(
        options.out,
        [FRONT_NAME, PICTURE_NAME, NETWORKS_NAME, BEST_NAME, ARCHIVE_NAME, ARCHIVE_B_NAME],
        stage="architectures",
        command=cli.command_line("architectures"),
        parents=[run.request.weights, run.request.config, *([run.request.latency] if run.request.latency else [])],
        settings={
            **{name: getattr(options, name) for name in _SETTINGS},
            **asdict(run.limits),
            "judged": len(asked),
            "minutes": round(sum(one.seconds for one in asked.values()) / 60, 2),
            "videos": {split: split_videos(run.bench.config, split) for split in SPLITS},
        },
        environment=describe(),
    ).save(options.out)
    lines = [
        f"{one.overlap:.3f} {second[one.architecture]:.3f} {_priced(one):>12}  {one.architecture}" for one in chosen
    ]
    cli.show(options, "\n".join(lines), rows)


def _on_the_other_split(request: Request, names: list[str], out: Path) -> dict[str, float]:
    """The overlaps of *names* on the videos that guided nothing, kept pair by pair in an archive of their own."""
    other, archive = replace(request, split=SPLITS[1]), Archive(out / ARCHIVE_B_NAME)
    overlaps = {}
    for name in dict.fromkeys(names):
        if (judged := archive.get(name)) is None:
            archive.add(judged := judge(other, name))
        overlaps[name] = judged.overlap
    return overlaps


def _conditions(run: _Run) -> dict[str, object]:
    """What two searches have to share to be compared."""
    space = {"towers": run.request.towers, "blocks": run.request.blocks}
    return {**stood_on(run.request), **space, **asdict(run.limits)}


def _titled(chosen: list[Judged], second: dict[str, float], largest: str) -> list[tuple[str, Architecture]]:
    """What is drawn: the largest network, then the front, each with its price and overlaps."""
    titles = {largest: f"the largest, overlap B {second[largest]:.3f}"}
    for one in chosen:
        overlaps = f"overlap A {one.overlap:.3f}, B {second[one.architecture]:.3f}"
        titles[one.architecture] = f"{_priced(one)}, {overlaps}: {one.architecture}"
    return [(title, parse(name)) for name, title in titles.items()]


def _priced(judged: Judged) -> str:
    return f"{judged.macs / 1e6:.1f} MMAC" if judged.milliseconds is None else f"{judged.milliseconds:.2f} ms"


def _without(judged: Judged) -> dict[str, object]:
    """What does not differ from run to run."""
    return {key: value for key, value in asdict(judged).items() if key not in ("overlaps", "seconds")}


def key(request: Request) -> dict[str, object]:
    """What judgements depend on, for the claim of a folder that keeps them."""
    return {**stood_on(request), "data": str(request.data.resolve())}


def stood_on(request: Request) -> dict[str, object]:
    """The same for a record that leaves this machine: digests and settings, without the place of the data."""
    files = {"weights": request.weights, "config": request.config, "latency": request.latency}
    digests = {name: sha256(path) if path else None for name, path in files.items()}
    return {**digests, "trained": request.trained, "pairs": request.pairs}
