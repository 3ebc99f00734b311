"""A network of a supernet trained by itself, from the weights that it inherits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from architectures.judge import MODEL, Bench
from networks.checkpoint import load
from networks.lighttrack.architecture import parse
from siamtrt.files import whole_file
from training.config import Config
from training.loop import BEST_NAME, Loop
from training.place import CPU
from training.report import write_report
from training.tasks import open_task

_SHARED = ("trunk_lr_share", "trunk_from_step", "loc_weight")  # that the tasks supernet and ban have in common


def trained_alone(text: str, bench: Bench, config: Config, data: Path, out: Path) -> float:
    """Train the network called *text* from the weights that it inherits; a rerun resumes.

    Args:
        text: canonical string.
        bench: of the split that judges it.
        config: of the training, whose task is replaced by that of one network; no video chooses among its weights.
        data: the folder of the sources.
        out: folder for the state and ``best.pth``, the averaged weights of the last step.

    Returns:
        Its mean overlap on the held-out pairs of *bench*, 0..1.
    """
    start = out / "start.pth"
    if not start.is_file():
        with whole_file(start) as temporary:
            torch.save(bench.member(parse(text)).state_dict(), temporary)
    shared = {name: config.task[name] for name in _SHARED if name in config.task}
    task: dict[str, object] = {**shared, "kind": "ban", "model": MODEL, "start": str(start)}
    own = replace(config, task=task, validate_steps=config.steps)
    Loop(open_task(own, data, CPU), own, out, CPU, lambda history: write_report(history, out)).run()
    return float(bench.held_out.overlaps(load(MODEL, out / BEST_NAME)).mean())
