"""Train the exits of a SiamRPN++ together: each learns what the last one learns, and from the last one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import Tensor, nn

from networks.exit_scores import margins
from networks.exits import HIDDEN, KINDS, MAPS, NECK, ExitSiamRPN, StageMaps, with_exits
from siamtrt import UsageError
from training.batches import Batch
from training.config import Config, parsed
from training.losses import losses
from training.place import Place
from training.tasks.siamrpn import Settings, SiamRPNTask
from training.tasks.task import Group
from training.validate import pair_overlaps

_TEMPERATURE = 2.0
_ALLOWED_LOSS = 0.005  # of the last exit's overlap, for what the earlier ones gain
_OWN = "own"
_NO_SHARE = -30.0  # softmax makes 1e-13 of it


@dataclass(frozen=True, kw_only=True)
class ExitSettings(Settings):
    """The table ``[task]`` of the kind ``exits``; teachers and hard negatives are not used.

    Attributes:
        exit_weights: of each exit's losses, the first exit's first.
        distil: of what earlier exits learn from the last one, relative to the losses above.
        recycling: ``own``: an exit has the maps of its own level alone; ``maps``: it fuses those of all levels so far;
            ``hidden``, ``neck``: it also takes features of the stage before, see :class:`ExitSiamRPN`.
        fixed_last: the last exit stays what it is, to the bit: the others learn how to read their features.
    """

    kind: str = "exits"
    exit_weights: tuple[float, ...] = ()
    distil: float = 0.5
    recycling: str = MAPS
    fixed_last: bool = False

    def __post_init__(self) -> None:
        ways = (_OWN, MAPS, HIDDEN, NECK)
        if self.recycling not in ways:
            raise ValueError(f"recycling = {self.recycling!r} is not one of {', '.join(ways)}")
        if self.fixed_last and self.recycling != MAPS:
            raise ValueError(f"with fixed_last, recycling is {MAPS!r}: the other ways change the last exit")
        if self.teachers or self.hard_negatives:
            raise ValueError("exits learn from the truth and from the last exit: no teachers, no hard_negatives")


class ExitsTask(SiamRPNTask):
    """The exits of a SiamRPN++, which learn together: each what the last one learns, and from the last one.

    Args:
        config: of the run.
        data: the folder of the sources.
        place: where the run computes.

    Raises:
        UsageError: see :class:`SiamRPNTask`; or not one weight an exit.
        ArtifactError: a source is empty or damaged.
    """

    settings: ExitSettings

    def __init__(self, config: Config, data: Path, place: Place) -> None:
        super().__init__(config, data, place)
        own = self.settings.recycling == _OWN
        recycling = MAPS if own else self.settings.recycling
        fixed = self.settings.fixed_last
        self._network = with_exits(self.network, recycling=recycling, readouts=fixed).to(place.device)
        self.network = self._network
        weights = self.settings.exit_weights or (1.0,) * self._network.stages
        if len(weights) != self._network.stages:
            raise UsageError(
                f"{len(weights)} exit_weights for {self._network.stages} exits", hint="one for each level of the model"
            )
        self._weights = weights
        if own:
            _leave_out_earlier(self._network)
        anchors = self._network.head(self._network.levels[0], "cls").outputs // 2
        self._centres = self.grid[:2, : self.grid.shape[1] // anchors]
        self._start = self.overlaps(self._network.eval())[-1]

    def read_settings(self, config: Config) -> ExitSettings:
        """The table ``[task]``."""
        return parsed(ExitSettings, config.task, "[task]")

    def groups(self) -> list[Group]:
        """Neck, heads and both fusions, or what exits add alone; then the layers of the trunk that may train."""
        if self.settings.fixed_last:
            self._network.requires_grad_(requires_grad=False)
            self._network.exits.requires_grad_(requires_grad=True)
            return [Group(list(self._network.exits.parameters()))]
        heads, *trunk = super().groups()
        if self.settings.recycling != _OWN:
            return [heads, *trunk]
        fixed = {id(parameter) for parameter in self._network.exits.parameters()}
        return [Group([parameter for parameter in heads.parameters if id(parameter) not in fixed]), *trunk]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Classification and box of all exits, what earlier ones learn from the last, and the weighted sum."""
        self._network.train()
        fixed = self._network if self.settings.fixed_last else self._network.backbone
        fixed.eval()  # norms keep the statistics of the weights they started from
        stages = self._stages(self._network, batch)
        targets = self.targets(batch, stages[-1].maps["cls"], None)
        parts = [
            losses(
                stage.maps["cls"], stage.maps["loc"], targets, self.settings.loc_weight, self.settings.overlap_weight
            )
            for stage in stages
        ]
        total = sum((weight * part.total for weight, part in zip(self._weights, parts, strict=True)), torch.tensor(0.0))
        taught = self._taught(stages, batch)
        each = {f"exit{number}": part.total.detach() for number, part in enumerate(parts, start=1)}
        return {"loss": total + self.settings.distil * taught, **each, "distil": taught}

    def score(self, network: nn.Module) -> float:
        """Mean overlap over the exits on the held-out pairs; below that of any weights that keep the last exit good.

        Weights whose last exit falls by more than 0.005 below the start's count by that exit alone, less one.
        """
        overlaps = self.overlaps(with_exits(network))
        if overlaps[-1] < self._start - _ALLOWED_LOSS:
            return overlaps[-1] - 1
        return sum(overlaps) / len(overlaps)

    @torch.no_grad()
    def overlaps(self, network: ExitSiamRPN) -> list[float]:
        """Mean overlap of each exit's best-scored box with the truth on the held-out pairs."""
        totals, count = [0.0] * network.stages, 0
        for batch in self.held_out:
            for number, stage in enumerate(self._stages(network, batch)):
                totals[number] += float(
                    pair_overlaps(stage.maps["cls"], stage.maps["loc"], batch, self.grid.cpu()).sum()
                )
            count += len(batch.boxes)
        return [total / count for total in totals]

    def _stages(self, network: ExitSiamRPN, batch: Batch) -> list[StageMaps]:
        device = self.place.device
        with torch.autocast(device.type, torch.bfloat16):
            return network.exit_maps(batch.template.to(device), batch.search.to(device))

    def _taught(self, stages: Sequence[StageMaps], batch: Batch) -> Tensor:
        """How far earlier exits are from the last one, on the pairs that show the target; its answer is fixed."""
        known = (batch.positive & batch.known).to(self.place.device)
        if not known.any():
            return torch.zeros((), device=self.place.device)
        inside = self._inside(batch)[known]
        last = stages[-1]
        teacher = margins(last.maps["cls"].float()).detach()[known]
        taught = torch.zeros((), device=self.place.device)
        for stage in stages[:-1]:
            taught = taught + divergence(teacher, margins(stage.maps["cls"].float())[known])
            for kind in KINDS:
                off = (stage.hidden[kind].float() - last.hidden[kind].float().detach())[known].abs().mean(1).flatten(1)
                taught = taught + (off * inside).sum() / inside.sum().clamp(min=1) / len(KINDS)
        return taught / (len(stages) - 1)

    def _inside(self, batch: Batch) -> Tensor:
        """The cells whose centre lies in the true box: BxN of 0 and 1."""
        boxes = batch.boxes.to(self.place.device)
        away = (self._centres[None] - boxes[:, :2, None]).abs()
        return (away <= boxes[:, 2:, None] / 2).all(1).float()


def divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """How far the softmax over the cells of *student* is from that of *teacher* (BxN logits): a scalar.

    Source: Hinton et al., 2015: softened by a temperature, and scaled by its square.
    """
    wanted, said = ((logits / _TEMPERATURE).log_softmax(1) for logits in (teacher, student))
    return _TEMPERATURE**2 * F.kl_div(said, wanted, log_target=True, reduction="batchmean")


def _leave_out_earlier(network: ExitSiamRPN) -> None:
    """Give each middle exit the map of its own level alone."""
    for kind in KINDS:
        for row in getattr(network.exits, f"{kind}_weight").values():
            row.data[:-1], row.data[-1] = _NO_SHARE, 0.0
