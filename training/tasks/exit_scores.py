"""Fit what exits say of themselves, on tables of tracked videos; the network itself stays as it is.

A table holds the features of every exit in every frame (``python -m export --exit-features``, then ``python -m
benchmarks exits table``), so that a step is a few small matrices.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import Tensor, nn

from networks.checkpoint import load
from networks.exit_scores import MAP_FEATURES
from networks.exits import FEATURE, ExitSiamRPN
from siamtrt import ArtifactError, UsageError
from siamtrt.files import sha256
from training.config import Config, parsed
from training.exit_losses import gate_loss, increments
from training.place import Place
from training.tasks.task import Group

_KEEP_LOSS = 0.05  # an exit is worth keeping where the last one gains no more overlap than this
_CUMULATIVE, _INCREMENTAL = "cumulative", "incremental"


@dataclass(frozen=True, kw_only=True)
class ScoreSettings:
    """The table ``[task]`` of the kind ``exit_scores``.

    Attributes:
        model: a key of ``networks.models.MODELS``.
        start: weights with exits, of which the tables were made; scores that they have already are fitted further.
        tables: of training videos.
        held_out: tables of other videos, which choose the weights.
        costs: up to each exit, relative to the last: of multiply-accumulates or of measured time.
        gate_lambda: overlap paid for a full frame.
        gate_cost: ``cumulative``, or ``incremental`` as printed in the paper.
        kind: ``exit_scores``.
    """

    model: str
    start: str
    tables: tuple[str, ...]
    held_out: tuple[str, ...]
    costs: tuple[float, ...]
    gate_lambda: float = 0.1
    gate_cost: str = _CUMULATIVE
    kind: str = "exit_scores"

    def __post_init__(self) -> None:
        if self.gate_cost not in (_CUMULATIVE, _INCREMENTAL):
            raise ValueError(f"gate_cost = {self.gate_cost!r} is not {_CUMULATIVE!r} or {_INCREMENTAL!r}")


@dataclass(frozen=True)
class Rows:
    """N frames.

    Attributes:
        features: N x K x F, of every exit.
        overlaps: N x K, of its box with the truth.
    """

    features: Tensor
    overlaps: Tensor


class ExitScoresTask:
    """Gates and scores of exits that are fitted to tables of tracked videos, around a network that stays as it is.

    Args:
        config: of the run.
        data: the folder that the tables are below.
        place: where the run computes.

    Raises:
        UsageError: *start* has no exits, or not one cost an exit.
        ArtifactError: a table is damaged, or was made without features or of other weights.
    """

    network: nn.Module

    def __init__(self, config: Config, data: Path, place: Place) -> None:
        self.settings = parsed(ScoreSettings, config.task, "[task]")
        self._config, self._place = config, place
        started = load(self.settings.model, Path(self.settings.start))
        if not isinstance(started, ExitSiamRPN):
            raise UsageError(f"{self.settings.start} has no exits", hint='train it first, kind = "exits"')
        torch.manual_seed(config.seed)
        fitted = bool(started.exits.gate)
        network = started.with_scores()
        if len(self.settings.costs) != network.stages:
            raise UsageError(f"{len(self.settings.costs)} costs for {network.stages} exits", hint="one up to each")
        self.network = self._network = network.to(place.device)
        self._train, self._held_out = (
            _stacked([_read(data / path, network, sha256(Path(self.settings.start))) for path in paths], place)
            for paths in (self.settings.tables, self.settings.held_out)
        )
        costs = torch.tensor(self.settings.costs, device=place.device)
        self._costs = increments(costs) if self.settings.gate_cost == _INCREMENTAL else costs
        for number in () if fitted else range(1, network.stages + 1):
            rows = self._train.features[:, number - 1]
            network.exits.gate_of(number).measure(rows[:, :MAP_FEATURES])
            network.exits.quality_of(number).measure(rows)

    def groups(self) -> list[Group]:
        """The gates and the quality networks."""
        exits = self._network.exits
        return [Group([*exits.gate.parameters(), *exits.quality.parameters()])]

    def batches(self, first: int, last: int) -> Iterator[Rows]:
        """Rows drawn anew for each step."""
        for step in range(first, last):
            number = step * self._place.world + self._place.rank
            rng = np.random.default_rng([self._config.seed, number])
            chosen = torch.from_numpy(rng.integers(0, len(self._train.overlaps), self._config.data.batch))
            yield Rows(self._train.features[chosen], self._train.overlaps[chosen])

    def losses(self, batch: Rows) -> dict[str, Tensor]:
        """The losses of the gates, of the predicted overlaps and of the keep scores, and their sum."""
        return self._losses(self._network, batch)

    def score(self, network: nn.Module) -> float:
        """How small the loss is on held-out rows."""
        with torch.no_grad():
            return -float(self._losses(_as_exits(network), self._held_out)["loss"])

    def _losses(self, network: ExitSiamRPN, rows: Rows) -> dict[str, Tensor]:
        numbers = range(1, network.stages + 1)
        gates = torch.cat(
            [
                network.exits.gate_of(number).logits(rows.features[:, number - 1, :MAP_FEATURES]).sigmoid()
                for number in numbers[:-1]
            ],
            1,
        )
        gate = gate_loss(gates, 1 - rows.overlaps, self._costs, self.settings.gate_lambda).mean()
        said = torch.stack(
            [network.exits.quality_of(number).logits(rows.features[:, number - 1]) for number in numbers], 1
        )
        keep = (rows.overlaps[:, -1:] - rows.overlaps <= _KEEP_LOSS).float()
        overlap_loss = F.binary_cross_entropy_with_logits(said[..., 0], rows.overlaps)
        keep_loss = F.binary_cross_entropy_with_logits(said[:, :-1, 1], keep[:, :-1])
        return {"loss": gate + overlap_loss + keep_loss, "gate": gate, "iou": overlap_loss, "keep": keep_loss}


def _as_exits(network: nn.Module) -> ExitSiamRPN:
    if not isinstance(network, ExitSiamRPN):
        raise UsageError("this task scores networks with exits alone")
    return network


def _read(path: Path, network: ExitSiamRPN, checkpoint_sha256: str) -> Rows:
    """The features and overlaps of a table of exits, made of the weights in the file of that digest."""
    hint = "python -m export --exit-features, engines of it, then python -m benchmarks exits table"
    try:
        with np.load(path, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            names = about["score_names"]
            scores, overlaps = stored["scores"], stored["overlaps"]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ArtifactError(f"{path} is no table of exits: {error}", hint=hint) from error
    columns = [index for index, name in enumerate(names) if name.startswith(FEATURE)]
    widths = {network.exits.quality_of(number).mean.numel() for number in range(1, network.stages + 1)}
    if scores.shape[1] != network.stages or {len(columns)} != widths:
        raise ArtifactError(f"{path} has {len(columns)} features an exit, the network takes {widths}", hint=hint)
    if about.get("checkpoint_sha256") != checkpoint_sha256:
        raise ArtifactError(f"{path} is of other weights than those that the scores are fitted to", hint=hint)
    return Rows(torch.from_numpy(scores[:, :, columns]).float(), torch.from_numpy(overlaps).float())


def _stacked(rows: list[Rows], place: Place) -> Rows:
    features, overlaps = (torch.cat([getattr(part, name) for part in rows]) for name in ("features", "overlaps"))
    return Rows(features.to(place.device), overlaps.to(place.device))
