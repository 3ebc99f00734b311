"""Train an anchor-free tracker on pairs: cells are classified and say where the sides of the box are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from networks.checkpoint import load
from networks.lighttrack.norms import expand
from networks.models import ModelSpec, build, spec
from networks.tracker import TrackerNetwork
from siamtrt import UsageError
from siamtrt.geometry import point_grid
from training.batches import Batch, batches, held_out
from training.config import Config, parsed
from training.pairs import PairSampler
from training.place import Place
from training.points import assign_points, point_losses
from training.sources import open_sources, require_truth
from training.tasks.task import Group
from training.validate import pair_overlaps

TRUNKS = ("features.", "backbone.")
_EXPANDING_BATCHES, _EXPANDING_PAIRS = 2, 16


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The table ``[task]`` of the kind ``ban``.

    Attributes:
        model: a key of ``networks.models.MODELS`` of the family ``ban``.
        kind: ``ban``.
        start: ``none`` for random weights, or the path of weights to go on from, whose architecture the network takes.
        trunk_lr_share: the trunk's rate relative to that of neck and head.
        trunk_from_step: the trunk trains from this step on.
        train_norms: batch norms take the batch's statistics. Those of *start* are measured first: published weights may
            have folded ones, which a batch would destroy.
        loc_weight: of the overlap loss relative to the classification loss.
    """

    model: str
    kind: str = "ban"
    start: str = "none"
    trunk_lr_share: float = 0.1
    trunk_from_step: int = 0
    train_norms: bool = True
    loc_weight: float = 1.2


class PointData:
    """Pairs, held-out pairs and points of an anchor-free model.

    Args:
        config: of the run.
        data: the folder of the sources.
        place: where the run computes.
        name: of the model.

    Attributes:
        held_out: batches of held-out pairs, all positive.

    Raises:
        UsageError: the model is not of the family ``ban``, or a source has no truth.
        ArtifactError: a source is empty or damaged.
    """

    def __init__(self, config: Config, data: Path, place: Place, name: str) -> None:
        self._config, self._place, self._model = config, place, spec(name)
        if self._model.family != "ban":
            raise UsageError(
                f"{name} is of the family {self._model.family}, this task trains ban", hint='kind = "siamrpn"'
            )
        require_truth(config)
        self.sampler = PairSampler(open_sources(config, data), config, self._model)
        apart = PairSampler(open_sources(config, data, validation=True), config, self._model, augmented=False)
        self.held_out = held_out(apart, config.data.validation_pairs)

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        """Pairs, drawn ahead on a thread."""
        return batches(self.sampler, first, last, self._config.data.batch, self._place.rank, self._place.world)

    def measuring(self) -> list[tuple[Tensor, Tensor]]:
        """Pairs to measure the statistics of norms on: the first ones that the training draws."""
        drawn = held_out(self.sampler, _EXPANDING_BATCHES * _EXPANDING_PAIRS)
        return [(batch.template.to(self._place.device), batch.search.to(self._place.device)) for batch in drawn]

    def losses(self, cls: Tensor, loc: Tensor, batch: Batch, loc_weight: float) -> dict[str, Tensor]:
        """Classification, overlap, and their weighted sum."""
        stride, search_px = self._model.stride, self._model.search_px
        targets = assign_points(grid(self._model, cls.shape[-1]), batch.boxes, batch.positive, stride, search_px)
        parts = point_losses(cls, loc, targets.to(cls.device), loc_weight)
        return {"loss": parts.total, "cls": parts.cls, "loc": parts.loc}

    @torch.no_grad()
    def overlaps(self, network: nn.Module) -> Tensor:
        """Overlap of the best-scored box with the truth in each held-out pair."""
        measured = []
        for batch in self.held_out:
            cls, loc = maps(network, batch, self._place)
            measured.append(pair_overlaps(cls, loc, batch, grid(self._model, cls.shape[-1])))
        return torch.cat(measured)


class BanTask:
    """What an anchor-free tracker learns from pairs: of every cell whether it is the object, and where its sides are.

    Args:
        config: of the run.
        data: the folder of the sources.
        place: where the run computes.

    Raises:
        UsageError: the model is not of the family ``ban``, ``start`` is no file, or a source has no truth.
        ArtifactError: a source is empty or damaged, or ``start`` is no checkpoint of the model.
    """

    network: nn.Module

    def __init__(self, config: Config, data: Path, place: Place) -> None:
        self.settings, self._place = parsed(Settings, config.task, "[task]"), place
        self._data = PointData(config, data, place, self.settings.model)
        network = start_network(self.settings.model, self.settings.start, config.seed).to(place.device)
        if self.settings.train_norms and self.settings.start != "none":
            expand(network, self._data.measuring())
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def groups(self) -> list[Group]:
        """Neck and head, then the trunk."""
        return trunk_apart(self.network, TRUNKS, self.settings.trunk_lr_share, self.settings.trunk_from_step)

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        """Pairs."""
        return self._data.batches(first, last)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Classification, overlap, and their weighted sum."""
        self.network.train(self.settings.train_norms)  # nothing but norms behaves differently in training
        cls, loc = maps(self.network, batch, self._place)
        return self._data.losses(cls, loc, batch, self.settings.loc_weight)

    def score(self, network: nn.Module) -> float:
        """Mean overlap of the best-scored box with the truth on the held-out pairs."""
        return float(self._data.overlaps(network).mean())


def start_network(name: str, start: str, seed: int) -> TrackerNetwork:
    """The network with the weights that training begins with.

    Raises:
        UsageError: *start* is neither ``none`` nor a file.
    """
    torch.manual_seed(seed)
    if start == "none":
        return build(name)
    if not Path(start).is_file():
        raise UsageError(f"unknown start {start!r}", hint="none, or the path of weights")
    return load(name, Path(start))


def trunk_apart(network: nn.Module, prefixes: tuple[str, ...], lr_share: float, from_step: int) -> list[Group]:
    """All parameters but the trunk's, then the trunk's, whose names begin with one of *prefixes*."""
    named = list(network.named_parameters())
    trunk = [parameter for name, parameter in named if name.startswith(prefixes)]
    others = [parameter for name, parameter in named if not name.startswith(prefixes)]
    return [Group(others), Group(trunk, lr_share, from_step)]


def maps(network: nn.Module, batch: Batch, place: Place, *more: object) -> tuple[Tensor, Tensor]:
    """The maps of a batch, in bfloat16 on a GPU; on a CPU that makes depthwise networks slower, so float32 there."""
    device = place.device
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type != "cpu"):
        cls, loc = network(batch.template.to(device), batch.search.to(device), *more)
    return cls, loc


def grid(model: ModelSpec, score_size: int) -> Tensor:
    """The points of a map: x and y in crop pixels, 2xN."""
    return torch.from_numpy(point_grid(model.stride, score_size)) + model.search_px / 2
