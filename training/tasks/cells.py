"""Search a cell between trunk and head: steps of the weights and steps of the architecture, each on pairs of its own.

The mixed cell, the head and the projections around it learn from the training videos; the numbers ``alpha``, which
weigh the operations against each other, from other videos. The trunk stays as it is.

Source: Liu et al., DARTS, ICLR 2019, algorithm 1; Marvasti-Zadeh et al., CHASE, arXiv 2107.03463, sec. 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call

from networks.cell import DROPPED, SearchCell
from networks.genotype import Genotype
from networks.models import build_around, spec
from networks.siamrpn_cell import BehindTrunk, SiamRPNCell
from siamtrt import InferenceError, UsageError
from training.batches import Batch, batches, held_out
from training.config import Config, parsed
from training.hypergradient import EXACT, ORDERS, Hypergradient, Unrolled, Weights, hypergradient
from training.labels import assign
from training.losses import losses
from training.pairs import PairSampler
from training.place import Place
from training.sources import open_sources, require_truth
from training.start_weights import load_trunk
from training.tasks.cell_turns import Schedule, Stream, Turn, epochs_of
from training.tasks.siamrpn import anchors
from training.tasks.task import Group

_ALPHA, _TRUNK, _PREFIX = "neck.cell.alpha", "backbone.", "network."
_SEEDS = 1_000_003
_HELD_OUT_SEED = 0  # of the held-out pairs and their labels, so that the losses of several seeds can be compared
_TINY = 1e-12

Depths = tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The table ``[task]`` of the kind ``cells``.

    Attributes:
        start: weights whose trunk is taken.
        alpha_videos: names of the videos that the architecture learns from, and nothing else does.
        left_out: names of the videos that the search does not see at all, such as those its result is judged by.
        model: a key of ``networks.models.MODELS`` with a cell.
        kind: ``cells``.
        channels: of the maps inside the cell.
        epoch_steps: steps of the weights in an epoch.
        warmup_epochs: epochs before the architecture moves.
        order: ``exact``, ``difference`` or ``first``: see ``training.hypergradient``.
        unrolled_rate: length of the step that is looked through; the published 1e-3 makes the second order next to
            nothing beside the first.
        unrolled_decay: weight decay in that step.
        alpha_lr: rate of the architecture, by Adam with the betas of DARTS.
        alpha_decay: added to the architecture's gradient, times alpha.
        dropout: share that is thinned out in the first epoch; it falls linearly, to reach zero behind the last.
        dropped: operations that are thinned out: ``skip`` (as the published code) or ``all``.
        loc_weight: of the box loss relative to the classification loss.
    """

    start: str
    alpha_videos: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    model: str = "siamrpn_nano_cell"
    kind: str = "cells"
    channels: int = 48
    epoch_steps: int = 100
    warmup_epochs: int = 10
    order: str = EXACT
    unrolled_rate: float = 0.05
    unrolled_decay: float = 3e-4
    alpha_lr: float = 3e-4
    alpha_decay: float = 1e-3
    dropout: float = 0.6
    dropped: str = "skip"
    loc_weight: float = 1.2


class CellsTask:
    """A search's mixed cell between a trunk that stays and a head: its weights and its architecture learn in turns.

    Args:
        config: of the run; its ``validation`` names the videos that neither weights nor architecture see, and its
            ``steps`` are those of a whole number of epochs.
        data: the folder of the sources.
        place: where the run computes.

    Attributes:
        cell: the mixed cell of ``network``.
        schedule: which step is what.
        epochs: how many there are at most.

    Raises:
        UsageError: the model has no cell, a setting is out of range, or a source has no truth.
        ArtifactError: a source is empty or damaged, or *start* is no checkpoint.
    """

    network: nn.Module

    def __init__(self, config: Config, data: Path, place: Place) -> None:
        self.settings = parsed(Settings, config.task, "[task]")
        self.schedule = Schedule(self.settings.epoch_steps, self.settings.warmup_epochs)
        self.epochs = epochs_of(config.steps, self.schedule)
        _require_known(self.settings, config)
        require_truth(config)
        self._config, self._place, self._model = config, place, spec(self.settings.model)
        everything = (*config.data.validation, *self.settings.alpha_videos, *self.settings.left_out)
        self._training = PairSampler(open_sources(_holding(config, everything), data), config, self._model)
        apart = _holding(config, self.settings.alpha_videos)
        self._apart = PairSampler(open_sources(apart, data, validation=True), config, self._model)
        alike = replace(config, seed=_HELD_OUT_SEED)
        unseen = PairSampler(open_sources(config, data, validation=True), alike, self._model, augmented=False)
        torch.manual_seed(config.seed)
        self.cell = SearchCell(self.settings.channels, self.settings.dropped)
        network = build_around(self.settings.model, self.cell)
        load_trunk(network.get_submodule("backbone"), Path(self.settings.start))
        self._trunk = network.get_submodule("backbone").requires_grad_(False)
        self.network = network.to(place.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._behind = BehindTrunk(network)
        self._held_out = [(batch, self._depths(batch)) for batch in held_out(unseen, config.data.validation_pairs)]

    def groups(self) -> list[Group]:
        """Projections, cell and head; then alpha, at a constant rate by Adam, its decay being part of its gradient."""
        weights = list(self._trained().values())
        share = self.settings.alpha_lr / self._config.optimizer.lr
        options = {"betas": (0.5, 0.999), "weight_decay": 0.0}
        return [Group(weights), Group([self.cell.alpha], share, scheduled=False, options=options)]

    def batches(self, first: int, last: int) -> Iterator[Turn]:
        """Pairs of the training videos; where the architecture moves also of its own videos."""
        turns = [self.schedule.turn(step) for step in range(first, last)]
        if not turns:
            return
        size, place = self._config.data.batch, self._place
        numbers = turns[0][1], turns[-1][1] + 1
        training, apart = (
            Stream(batches(sampler, *numbers, size, place.rank, place.world), numbers[0])
            for sampler in (self._training, self._apart)
        )
        for epoch, number, moves in turns:
            yield Turn(epoch, training.at(number), apart.at(number) if moves else None)

    def losses(self, batch: Turn) -> dict[str, Tensor]:
        """The training loss for a step of the weights; for one of the architecture a term that has its gradient."""
        self._prepare(batch.epoch)
        self.cell.alpha.requires_grad_(batch.validation is not None)
        if batch.validation is None:
            with self._seeded(batch.training):
                loss = self._loss(self._behind(*self._depths(batch.training)), batch.training)
            return {"loss": loss}
        found, alpha = self.gradient(batch), self.cell.alpha
        gradient = found.total + self.settings.alpha_decay * alpha.detach()
        term = (alpha * gradient).sum()
        share = found.through_weights.norm() / found.direct.norm().clamp(min=_TINY)
        return {"loss": term - term.detach() + found.validation, "gradient": gradient.norm(), "share": share}

    def gradient(self, turn: Turn) -> Hypergradient:
        """What the architecture's pairs say to alpha; weights, statistics and random generators stay as they are."""
        assert turn.validation is not None  # the architecture's turn
        self._prepare(turn.epoch)
        weights = {_PREFIX + name: value.detach() for name, value in self._trained().items()}
        step = Unrolled(self.settings.unrolled_rate, self.settings.unrolled_decay)
        train, validation = self._loss_of(turn.training), self._loss_of(turn.validation)
        return hypergradient(train, validation, weights, self.cell.alpha, step, self.settings.order)

    @torch.no_grad()
    def held_out_loss(self, genotype: Genotype | None = None) -> float:
        """The loss on the held-out pairs, without dropout: of the mixed cell, or of *genotype* with the same weights.

        Raises:
            InferenceError: it is no number.
        """
        self.network.eval()
        self.cell.chosen = None if genotype is None else self.cell.one_cell(genotype)
        try:
            found = self._held_out_loss(self._behind)
        finally:
            self.cell.chosen = None
        if not math.isfinite(found):
            raise InferenceError(f"the loss on the held-out pairs is {found}", hint="lower lr in the configuration")
        return found

    def score(self, network: nn.Module) -> float:
        """How small the mixed cell's loss on the held-out pairs is: the exponential of its negative, 0..1."""
        assert isinstance(network, SiamRPNCell)  # the loop copies ours
        return math.exp(-self._held_out_loss(BehindTrunk(network)))

    def _prepare(self, epoch: int) -> None:
        self.network.train()
        self._trunk.eval()
        self.cell.set_dropout(self.settings.dropout * (1 - (epoch - 1) / self.epochs))

    def _trained(self) -> dict[str, nn.Parameter]:
        """The weights by name: all but alpha and the trunk's."""
        named = self.network.named_parameters()
        return {name: value for name, value in named if name != _ALPHA and not name.startswith(_TRUNK)}

    def _loss_of(self, batch: Batch) -> Callable[[Weights, Tensor], Tensor]:
        """The loss of *batch* by weights and alpha: a function that leaves nothing behind and always draws alike."""
        depths = self._depths(batch)

        def loss(weights: Weights, alpha: Tensor) -> Tensor:
            buffers = {name: value.clone() for name, value in self._behind.named_buffers()}
            with self._seeded(batch):
                maps = functional_call(self._behind, {**buffers, **weights, _PREFIX + _ALPHA: alpha}, depths)
            return self._loss(maps, batch)

        return loss

    @torch.no_grad()
    def _depths(self, batch: Batch) -> tuple[Depths, Depths]:
        """What the trunk makes of the crops."""
        self._trunk.eval()
        device, depths = self._place.device, self._behind.network.depths
        return depths(batch.template.to(device)), depths(batch.search.to(device))

    def _held_out_loss(self, network: nn.Module) -> float:
        found = [
            float(self._loss(network(*depths), batch, _HELD_OUT_SEED)) * len(batch.boxes)
            for batch, depths in self._held_out
        ]
        return sum(found) / sum(len(batch.boxes) for batch, _ in self._held_out)

    def _loss(self, maps: tuple[Tensor, Tensor], batch: Batch, seed: int | None = None) -> Tensor:
        cls, loc = maps
        generator = torch.Generator().manual_seed(self._seed_of(batch) if seed is None else seed)
        targets = assign(anchors(self._model, cls.shape[2]), batch.boxes, batch.positive, generator)
        return losses(cls, loc, targets.to(cls.device), self.settings.loc_weight).total

    @contextmanager
    def _seeded(self, batch: Batch) -> Iterator[None]:
        """Dropout follows from the number of *batch*; the generators then go on as if nothing had been drawn."""
        with torch.random.fork_rng([self._place.device] if self._place.device.type == "cuda" else []):
            torch.manual_seed(self._seed_of(batch))
            yield

    def _seed_of(self, batch: Batch) -> int:
        return self._config.seed * _SEEDS + batch.number


def _require_known(settings: Settings, config: Config) -> None:
    for name, known in (("order", ORDERS), ("dropped", DROPPED)):
        if getattr(settings, name) not in known:
            raise UsageError(f"{name} = {getattr(settings, name)!r}", hint=f"one of {', '.join(known)}")
    if not settings.alpha_videos:
        raise UsageError("the architecture needs videos of its own", hint="alpha_videos = [names]")
    shared = set(settings.alpha_videos) & {*config.data.validation, *settings.left_out}
    if shared:
        raise UsageError(f"{min(shared)} cannot teach the architecture and be held out", hint="name it once")


def _holding(config: Config, videos: tuple[str, ...]) -> Config:
    return replace(config, data=replace(config.data, validation=videos))
