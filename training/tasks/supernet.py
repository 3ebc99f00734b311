"""Train a supernet of LightTrack on pairs: in each step some of its networks, drawn from the seed and the batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from networks.lighttrack.architecture import Architecture, parse
from networks.lighttrack.network import LightTrack
from networks.lighttrack.norms import expand, recalibrate
from networks.lighttrack.space import ElasticSpace, Space, WholeSpace
from networks.lighttrack.supernet import ElasticSupernet, Supernet, WholeSupernet, sort_channels
from siamtrt import UsageError
from training.batches import Batch
from training.config import Config, parsed
from training.place import Place
from training.tasks.ban import PointData, maps, start_network, trunk_apart
from training.tasks.task import Group

_TRUNKS = ("module.features.", "conv_stem.", "bn1.", "first.", "choices.")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The table ``[task]`` of the kind ``supernet``.

    Attributes:
        kind: ``supernet``.
        model: ``lighttrack_mobile``.
        space: ``elastic`` for what the network of *start* can shrink to; ``whole`` for the space of the paper, which
            needs GPUs.
        start: the path of weights for ``elastic``; ``none`` for ``whole``.
        sandwich: train the largest and the smallest network beside a random one in each step; only the random one
            otherwise, which is the published way. ``elastic`` alone has a largest one.
        blocks: the blocks of an ``elastic`` one shrink; without, its towers and the number of blocks do alone, and a
            trunk that is to stay as it is takes a ``trunk_from_step`` behind the last step.
        trunk_lr_share: the trunk's rate relative to that of neck and head.
        trunk_from_step: the trunk trains from this step on.
        loc_weight: of the overlap loss relative to the classification loss.
    """

    kind: str = "supernet"
    model: str = "lighttrack_mobile"
    space: str = "elastic"
    start: str = "none"
    sandwich: bool = True
    blocks: bool = True
    trunk_lr_share: float = 0.1
    trunk_from_step: int = 0
    loc_weight: float = 1.2


@dataclass(frozen=True)
class Paths:
    """A batch and the networks that it trains."""

    batch: Batch
    architectures: tuple[Architecture, ...]


class SupernetTask:
    """A supernet of LightTrack that learns from pairs, in each step by some of its networks.

    Args:
        config: of the run.
        data: the folder of the sources.
        place: where the run computes.

    Raises:
        UsageError: the space is unknown, or *start* does not fit it.
        ArtifactError: a source is empty or damaged, or ``start`` is no checkpoint.
    """

    network: nn.Module

    def __init__(self, config: Config, data: Path, place: Place) -> None:
        self.settings, self._seed, self._place = parsed(Settings, config.task, "[task]"), config.seed, place
        self._data = PointData(config, data, place, self.settings.model)
        self._always: tuple[Architecture, ...] = ()
        self.space: Space = WholeSpace()
        if self.settings.space == "whole" and self.settings.start == "none":
            torch.manual_seed(config.seed)
            self.network = WholeSupernet().to(place.device)
        elif self.settings.space == "elastic":
            network = start_network(self.settings.model, self.settings.start, config.seed).to(place.device).eval()
            if self.settings.start != "none":
                expand(network, self._data.measuring())
            self.network, whole = elastic(network, trained=False)
            self.space = replace(whole, blocks=self.settings.blocks)
            self._always = ends(self.space) if self.settings.sandwich else ()
        else:
            raise UsageError(
                f"there is no space {self.settings.space!r} from the start {self.settings.start!r}",
                hint='space = "elastic" with the path of weights, or "whole" with "none"',
            )

    def groups(self) -> list[Group]:
        """Neck and head, then the trunk."""
        return trunk_apart(self.network, _TRUNKS, self.settings.trunk_lr_share, self.settings.trunk_from_step)

    def batches(self, first: int, last: int) -> Iterator[Paths]:
        """Pairs, each batch with its networks; a choice is drawn uniformly and by itself."""
        for batch in self._data.batches(first, last):
            rng = np.random.default_rng([self._seed, batch.number])
            yield Paths(batch, (*self._always, _drawn(self.space, rng)))

    def losses(self, batch: Paths) -> dict[str, Tensor]:
        """Means over the networks of the step."""
        self.network.train()
        parts = []
        for architecture in batch.architectures:
            cls, loc = maps(self.network, batch.batch, self._place, architecture)
            parts.append(self._data.losses(cls, loc, batch.batch, self.settings.loc_weight))
        return {name: torch.stack([part[name] for part in parts]).mean() for name in parts[0]}

    def score(self, network: nn.Module) -> float:
        """Mean overlap of the largest and the smallest network (of two random ones) with statistics of their own."""
        assert isinstance(network, Supernet)  # the loop copies ours
        rng, scores = np.random.default_rng(self._seed), []
        for architecture in self._always or [_drawn(self.space, rng) for _ in range(2)]:
            member = network.member(architecture)
            recalibrate(member, self._data.measuring())
            scores.append(float(self._data.overlaps(member).mean()))
        return sum(scores) / len(scores)


def elastic(network: nn.Module, *, trained: bool) -> tuple[ElasticSupernet, ElasticSpace]:
    """The supernet of what *network*, a LightTrack, can shrink to, and its space.

    Args:
        network: taken over.
        trained: it comes from the training of a supernet; the channels of another one are sorted.

    Raises:
        UsageError: it is another network.
    """
    if not isinstance(network, LightTrack) or network.architecture is None:
        raise UsageError("only a LightTrack can be made elastic", hint='model = "lighttrack_mobile"')
    if not trained:
        sort_channels(network)
    return ElasticSupernet(network), ElasticSpace(parse(network.architecture))


def ends(space: Space) -> tuple[Architecture, Architecture]:
    """The largest and the smallest network of an elastic space."""
    return space.architecture((0,) * len(space.sizes)), space.architecture(tuple(size - 1 for size in space.sizes))


def _drawn(space: Space, rng: np.random.Generator) -> Architecture:
    return space.architecture(tuple(map(int, rng.integers(0, space.sizes))))
