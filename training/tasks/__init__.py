"""What can be trained, by name: each task is a file, and its settings are the table ``[task]`` of a configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from siamtrt import UsageError
from training.config import Config
from training.place import Place
from training.tasks.ban import BanTask
from training.tasks.cells import CellsTask
from training.tasks.exit_scores import ExitScoresTask
from training.tasks.exits import ExitsTask
from training.tasks.pruned import PrunedTask
from training.tasks.siamrpn import SiamRPNTask
from training.tasks.supernet import SupernetTask
from training.tasks.task import Task

KINDS: dict[str, Callable[[Config, Path, Place], Task]] = {
    "siamrpn": SiamRPNTask,
    "exits": ExitsTask,
    "exit_scores": ExitScoresTask,
    "ban": BanTask,
    "supernet": SupernetTask,
    "cells": CellsTask,
    "pruned": PrunedTask,
}


def open_task(config: Config, data: Path, place: Place) -> Task:
    """Open the task that *config* names; ``siamrpn`` where it names none.

    Args:
        config: of the run.
        data: the folder that the configured sources are below.
        place: where the run computes.

    Raises:
        UsageError: the kind is unknown, or its settings are not what it takes.
    """
    kind = config.task.get("kind", "siamrpn")
    if kind not in KINDS:
        raise UsageError(f"unknown kind of task {kind!r}", hint=f"one of {', '.join(KINDS)}")
    return KINDS[kind](config, data, place)
