"""Search a cell with several seeds, each until its held-out loss has stopped falling; the best one is the result."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from architectures.cells.picture import draw_cell, draw_curves
from architectures.cells.record import Epoch, Record
from architectures.cells.stopping import Rule
from networks.genotype import strongest
from siamtrt import Manifest, UsageError, claim
from siamtrt.documents import Format
from siamtrt.environment import describe
from siamtrt.files import sha256
from training.config import Config
from training.loop import History, Loop
from training.place import CPU
from training.tasks import open_task
from training.tasks.cells import CellsTask

RECORD_NAME, RESULT_NAME, GENOTYPE_NAME = "record.json", "result.json", "genotype.json"
CURVES_NAME, DRAWING_NAME = "curves.png", "cell.png"
_FORMAT = Format("a result of searches", schema=1, hint="python -m architectures cells search", kind="cells result")
_KIND = "cells"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        config: a TOML file of the kind ``cells``.
        data: the folder of its sources.
        seeds: how many searches; their seeds follow on the configuration's.
        patience: see :class:`architectures.cells.stopping.Rule`.
        order: instead of the configuration's; None for that.
    """

    config: Path
    data: Path
    seeds: int = 3
    patience: int = 10
    order: str | None = None


def search(request: Request, out: Path, command: str) -> Record:
    """Search, resuming what *out* holds, and write genotype, curves, drawing and, last, the manifest.

    Returns:
        The record of the best seed: the one of the smallest held-out loss, of equals the first.

    Raises:
        UsageError: the configuration is of another kind.
        ArtifactError: a file is absent or damaged, or *out* holds another search.
        InferenceError: a loss is no number.
    """
    config = _config(request)
    claim.take(out / "claim.json", {"config": config.claim(), "patience": request.patience})
    records = []
    for number in range(request.seeds):
        seeded = replace(config, seed=config.seed + number)
        records.append(_search_one(seeded, request, out / f"seed_{seeded.seed}"))
    best = min(records, key=lambda record: record.best.loss)
    best.genotype.save(out / GENOTYPE_NAME)
    rows = [_row(record) for record in records]
    _FORMAT.save(out / RESULT_NAME, {**_row(best), "seeds": rows})
    draw_curves(records, out / CURVES_NAME)
    draw_cell(best.genotype, out / DRAWING_NAME)
    _write_manifest(config, request, records, out, command)
    return best


def _config(request: Request) -> Config:
    config = Config.load(request.config)
    if config.task.get("kind") != _KIND:
        raise UsageError(f"{request.config} trains {config.task.get('kind')!r}", hint=f'kind = "{_KIND}" in [task]')
    return config if request.order is None else replace(config, task={**config.task, "order": request.order})


def _search_one(config: Config, request: Request, out: Path) -> Record:
    """One seed, from where it stands."""
    task = open_task(config, request.data, CPU)
    assert isinstance(task, CellsTask)  # of this kind
    loop, path = Loop(task, config, out), out / RECORD_NAME
    record = Record(config.seed, task.settings.channels, task.settings.warmup_epochs)
    record = Record.load(path) if path.is_file() else record
    rule = Rule(record.warmup, request.patience)
    while len(record.epochs) < task.epochs and not rule.is_over(record.losses):
        number, started_ns = len(record.epochs) + 1, time.perf_counter_ns()
        loop.run(until=task.schedule.last_step(number))
        epoch = _epoch(task, loop.history, number, (time.perf_counter_ns() - started_ns) / 1e9)
        record = replace(record, epochs=(*record.epochs, epoch))
        record.save(path)
        log.info(
            "seed %d, epoch %d: held-out loss %.4f, of the derived cell %.4f; the look ahead adds %.3f of the gradient",
            *(config.seed, number, epoch.loss, epoch.derived_loss, epoch.look_ahead),
        )
    return record


def _epoch(task: CellsTask, history: History, number: int, seconds: float) -> Epoch:
    alpha = task.cell.alpha.detach().double().numpy()
    first = task.schedule.last_step(number - 1) if number > 1 else 0
    shares = [entry["share"] for entry in history[first:] if "share" in entry]
    return Epoch(
        number,
        task.held_out_loss(),
        task.held_out_loss(strongest(alpha, task.settings.channels)),
        tuple(map(tuple, alpha.tolist())),
        sum(shares) / len(shares) if shares else 0.0,
        round(seconds, 1),
    )


def _row(record: Record) -> dict[str, Any]:
    best = record.best
    return {
        "seed": record.seed,
        "genotype": str(record.genotype),
        "epoch": best.number,
        "epochs": len(record.epochs),
        "loss": best.loss,
        "derived_loss": best.derived_loss,
        "weight_free": best.weight_free,
        "look_ahead": best.look_ahead,
        "minutes": round(sum(epoch.seconds for epoch in record.epochs) / 60, 2),
    }


def _write_manifest(config: Config, request: Request, records: list[Record], out: Path, command: str) -> None:
    folders = [f"seed_{record.seed}/{RECORD_NAME}" for record in records]
    Manifest.of(
        out,
        [GENOTYPE_NAME, RESULT_NAME, CURVES_NAME, DRAWING_NAME, *folders],
        stage="architectures",
        command=command,
        parents=[request.config, Path(config.task["start"])],
        settings={
            "task": dict(config.task),
            "held_out": list(config.data.validation),
            "seeds": [record.seed for record in records],
            "patience": request.patience,
            "pairs_an_epoch": config.data.batch * int(config.task.get("epoch_steps", 0)),
            "sources": [asdict(source) for source in config.data.sources],
            "config_sha256": sha256(request.config),
        },
        environment=describe(),
    ).save(out)
