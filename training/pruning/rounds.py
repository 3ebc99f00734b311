"""Prune in rounds: score, cut, distil, and again from what came out, down to the budget."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from siamtrt import ArtifactError, Manifest, UsageError, claim
from siamtrt.files import sha256
from siamtrt.manifest import FILE_NAME as MANIFEST_NAME
from siamtrt.pruning import FILE_NAME, PruningRecord
from training.config import Config
from training.half import write_half
from training.loop import BEST_NAME, Loop
from training.place import Place
from training.pruning.measure import Job, ScoreFile, measure
from training.pruning.smaller import CUT_NAME, STAGE, Order, close_folder, cut_to
from training.report import CURVES_NAME, HISTORY_NAME, write_report
from training.sources import video_names
from training.tasks import open_task

REQUEST = "request.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A whole pruning.

    Attributes:
        job: how channels are scored, and the whole checkpoint.
        order: the final budget, a share of the multiply-accumulates.
        rounds: how many times to score, cut and distil.
        steps: of distillation after each round but the last.
        last_steps: of distillation after the last round.
    """

    job: Job
    order: Order
    rounds: int = 3
    steps: int = 150
    last_steps: int = 600

    def __post_init__(self) -> None:
        if self.order.macs is None or not 0 < self.order.macs < 1:
            raise UsageError("rounds lead to a share of the multiply-accumulates", hint="--macs 0.62")

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of the multiply-accumulates after each round: even factors, so that each takes as much."""
        assert self.order.macs is not None  # __post_init__ says so
        return tuple(self.order.macs ** ((number + 1) / self.rounds) for number in range(self.rounds))


def prune(plan: Plan, config: Config, data: Path, out: Path, place: Place, command: str) -> PruningRecord:
    """Prune and distil, and write ``pruned.pth``, ``pruning.json``, curves and ``manifest.json`` into *out*.

    What is finished of an earlier run of the same plan is taken as it is.

    Raises:
        ArtifactError: *out* holds another pruning, or a file is damaged.
        UsageError: the budget cannot be reached.
    """
    request = {
        "start": sha256(plan.job.start),
        "config": config.claim(),
        "plan": repr(replace(plan, job=replace(plan.job, start=Path()))),
    }
    claim.take(out / REQUEST, request)
    if (out / MANIFEST_NAME).is_file():
        Manifest.load(out, stage=STAGE)
        return PruningRecord.load(out / FILE_NAME)
    start = plan.job.start
    for number, share in enumerate(plan.shares, start=1):
        folder, last = out / f"round-{number}", number == plan.rounds
        steps = plan.last_steps if last else plan.steps
        log.info("round %d of %d: to %.3f of the multiply-accumulates", number, plan.rounds, share)
        start = _round(plan, replace(plan.order, macs=share), start, config, data, folder, steps, place, command)
    record = PruningRecord.load(start.with_name(FILE_NAME))
    write_half(torch.load(start, map_location="cpu", weights_only=True), out / CUT_NAME)
    record = replace(record, sha256=sha256(out / CUT_NAME), budget=plan.order.limits)
    record.save(out / FILE_NAME)
    curves = [name for name in (CURVES_NAME, HISTORY_NAME) if (start.parent / name).is_file()]
    for name in curves:
        (out / name).write_bytes((start.parent / name).read_bytes())
    close_folder(out, plan.job.start, plan.order, command, curves)
    return record


def _round(
    plan: Plan,
    order: Order,
    start: Path,
    config: Config,
    data: Path,
    folder: Path,
    steps: int,
    place: Place,
    command: str,
) -> Path:
    """Score, cut and distil once; returns the weights, whose record lies beside them."""
    finished = folder / "distilled" / CUT_NAME
    if finished.is_file() and finished.with_name(FILE_NAME).is_file():
        return finished
    scores = folder / "scores.json"
    if not scores.is_file():
        measured = measure(replace(plan.job, start=start), config, data, folder / "scores.partial.json")
        measured.save(scores)
        (folder / "scores.partial.json").unlink(missing_ok=True)
    if not (folder / "cut" / "manifest.json").is_file():
        cut_to(order, ScoreFile.load(scores), start, folder / "cut", command)
    cut = folder / "cut" / CUT_NAME
    if steps:
        _distil(plan, cut, replace(config, steps=steps), data, folder / "distilled", place)
        best = folder / "distilled" / BEST_NAME
        state = torch.load(best, map_location="cpu", weights_only=True)
    else:
        state = torch.load(cut, map_location="cpu", weights_only=True)
    torch_file = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    write_half(torch_file, finished)
    record = PruningRecord.load(cut.with_name(FILE_NAME))
    taught_by = (*video_names(config, data), *video_names(config, data, validation=True)) if steps else ()
    sources = tuple(sorted({*record.sources, *taught_by}))
    record = replace(record, sha256=sha256(finished), steps=record.steps + steps, sources=sources)
    record.save(finished.with_name(FILE_NAME))
    return finished


def _distil(plan: Plan, cut: Path, config: Config, data: Path, out: Path, place: Place) -> None:
    if config.task.get("kind") != "pruned":
        raise ArtifactError("the configuration distils nothing", hint='[task] kind = "pruned"')
    task = {**config.task, "model": plan.job.model, "start": str(cut), "teacher": str(plan.job.start)}
    config = replace(config, task=task)
    Loop(open_task(config, data, place), config, out, place, lambda history: write_report(history, out)).run()
