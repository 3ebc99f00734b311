"""SiamRPN++ that may stop at each of its levels: exit k fuses the maps of the levels 1 to k.

The levels' heads are the exits' heads, so that an exit adds no convolution, the maps of earlier levels are used again,
and the last exit is the network without exits. Stages and exits are numbered from 1, as in graphs and reports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from networks.exit_scores import GATE, KEEP, MAP_FEATURES, OVERLAP, PEAK, Gate, Quality, map_features, margins, pooled
from networks.siamrpn import SiamRPN, weighted_sum
from networks.trunks.staged import StagedTrunk
from siamtrt import UsageError

PREFIX = "exits."
FEATURE = "feature:"  # of the names of what scores are computed from
KINDS = ("cls", "loc")

LevelMaps = Mapping[str, Tensor]  # cls Bx2AxRxR and loc Bx4AxRxR of one level, as later exits take them


@dataclass(frozen=True)
class StageMaps:
    """What one stage puts out.

    Attributes:
        maps: ``cls`` and ``loc`` of this exit, the levels so far fused.
        level: those of its own level, for later exits.
        scores: BxS, in the order of :attr:`ExitSiamRPN.score_names`; 0..1 but for features.
        features: BxF, what the scores are computed from: the twelve numbers of the map, then pooled features.
        hidden: what the last convolutions of ``cls`` and ``loc`` saw: BxHxRxR each.
    """

    maps: LevelMaps
    level: LevelMaps
    scores: Tensor
    features: Tensor
    hidden: LevelMaps


class _Exits(nn.Module):
    """The parameters that exits add: fusion weights of the middle ones, gates, quality networks; by number."""

    def __init__(self, fusion: dict[str, Tensor], widths: Sequence[int], *, gates: bool, qualities: bool) -> None:
        super().__init__()
        numbers = range(2, len(widths))
        for kind in KINDS:
            rows = {str(number): nn.Parameter(fusion[kind][:number].clone()) for number in numbers}
            self.add_module(f"{kind}_weight", nn.ParameterDict(rows))
        every = [(str(number), width) for number, width in enumerate(widths, start=1)]
        self.gate = nn.ModuleDict({number: Gate() for number, _ in every} if gates else {})
        self.quality = nn.ModuleDict({number: Quality(width) for number, width in every} if qualities else {})

    def gate_of(self, number: int) -> Gate:
        """The gate of an exit."""
        return cast("Gate", self.gate[str(number)])

    def quality_of(self, number: int) -> Quality:
        """The quality network of an exit."""
        return cast("Quality", self.quality[str(number)])


class ExitSiamRPN(SiamRPN):
    """A SiamRPN++ with exits, made of one without.

    Args:
        network: whose parts are taken over, weights included; not to be used any more.
        gates: the exits have gates.
        qualities: the exits say how good their box is.

    Attributes:
        stages: how many there are, one a level.
        says_features: the exits put out what their scores are computed from, for training these on tracked videos.

    Raises:
        UsageError: the network has one level, or a trunk that runs in one go.
    """

    def __init__(self, network: SiamRPN, *, gates: bool = False, qualities: bool = False) -> None:
        nn.Module.__init__(self)
        if len(network.levels) < 2 or not isinstance(network.backbone, StagedTrunk):
            raise UsageError("this model has one level, so there is nowhere to stop early", hint="siamrpn_nano")
        self.levels, self.has_neck, self.folded = network.levels, network.has_neck, network.folded
        self.backbone: StagedTrunk = network.backbone
        self.rpn_head = network.rpn_head
        if network.has_neck:
            self.neck = network.neck
        self.stages = len(self.levels)
        ones = torch.zeros(self.stages)
        fusion = {kind: getattr(self.rpn_head, f"{kind}_weight", ones).detach() for kind in KINDS}
        widths = [sum(self.head(level, kind).width for kind in KINDS) for level in self.levels]
        self.exits = _Exits(fusion, widths, gates=gates, qualities=qualities)
        self.says_features = False
        self._ratios: dict[tuple[str, int], Tensor] = {}

    @property
    def score_names(self) -> tuple[str, ...]:
        """What an exit says of itself: the largest probability of its map, then what was trained."""
        trained = (*([GATE] if self.exits.gate else ()), *([OVERLAP, KEEP] if self.exits.quality else ()))
        count = MAP_FEATURES + sum(self.head(self.levels[0], kind).width for kind in KINDS)
        features = [f"{FEATURE}{index}" for index in range(count)] if self.says_features else ()
        return (PEAK, *trained, *features)

    def shares(self, kind: str, number: int) -> Tensor | None:
        """The weight of each level's map in exit *number*; None where they are summed as they are."""
        if number == self.stages:
            return self.fusion(kind)
        if self.folded:
            return self._ratios[kind, number]
        rows = getattr(self.exits, f"{kind}_weight")
        return torch.softmax(rows[str(number)], 0) if number > 1 else torch.ones(1)

    @torch.no_grad()
    def fold(self) -> None:
        """Scale each level by its share in the last exit, which then is a plain sum, and earlier shares to match."""
        last = {kind: self.fusion(kind) for kind in KINDS}
        numbers = range(1, self.stages)
        before = {(kind, number): self.shares(kind, number) for kind in KINDS for number in numbers}
        for (kind, number), shares in before.items():
            scaled = last[kind]
            if shares is not None and scaled is not None:
                self._ratios[kind, number] = shares / scaled[:number]
        super().fold()

    def search_stage(self, number: int, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Run one stage of the search branch.

        Args:
            number: of the stage.
            x: the search crop, or the trunk's feature map of the stage before.

        Returns:
            The features of this level, name -> BxCxHxW, and the trunk's feature map.
        """
        level, feature = self.levels[number - 1], self.backbone.stage(number - 1, x)
        adjusted = self.adjusted(level, feature)
        return {f"feature_{kind}{level}": self.head(level, kind).conv_search(adjusted) for kind in KINDS}, feature

    def correlate_stage(
        self, number: int, features: dict[str, Tensor], kernels: dict[str, Tensor], earlier: Sequence[LevelMaps]
    ) -> StageMaps:
        """Correlate one level, and fuse its maps with those of the levels before.

        Args:
            number: of the stage.
            features: of :meth:`search_stage`; others may be among them.
            kernels: see :meth:`TrackerNetwork.correlate`.
            earlier: the maps of the levels before, in order.
        """
        level = self.levels[number - 1]
        hidden = {kind: self.hidden(level, kind, features, kernels) for kind in KINDS}
        own = {kind: self.head(level, kind).map(hidden[kind]) for kind in KINDS}
        maps = {
            kind: weighted_sum([*(maps[kind] for maps in earlier), own[kind]], self.shares(kind, number))
            for kind in KINDS
        }
        features_of_scores, scores = self._scores(number, maps["cls"], hidden)
        return StageMaps(maps, own, scores, features_of_scores, hidden)

    def exit_maps(self, template: Tensor, search: Tensor) -> list[StageMaps]:
        """All exits of pairs of crops, for training."""
        kernels, x, stages = self.template(template), search, list[StageMaps]()
        for number in range(1, self.stages + 1):
            features, x = self.search_stage(number, x)
            stages.append(self.correlate_stage(number, features, kernels, [stage.level for stage in stages]))
        return stages

    def _scores(self, number: int, cls: Tensor, hidden: LevelMaps) -> tuple[Tensor, Tensor]:
        """What the scores of an exit are computed from, and the scores, each 0..1."""
        margin = margins(_float32(cls))
        of_map = map_features(margin.sigmoid())
        scores = [margin.amax(1, keepdim=True).sigmoid()]  # not read off the twelve numbers, which a gate alone needs
        if self.exits.gate:
            scores.append(self.exits.gate_of(number).logits(of_map).sigmoid())
        features = torch.cat([of_map, *(pooled(margin, _float32(hidden[kind])) for kind in KINDS)], 1)
        if self.exits.quality:
            scores.append(self.exits.quality_of(number).logits(features).sigmoid())
        if self.says_features:
            scores.append(features)
        return features, torch.cat(scores, 1)


def _float32(tensor: Tensor) -> Tensor:
    """*tensor* in float32, without a cast in the traced graph where it is so already."""
    return tensor if tensor.dtype == torch.float32 else tensor.float()


def with_exits(network: nn.Module, state: Mapping[str, Tensor] | None = None) -> ExitSiamRPN:
    """Give a SiamRPN++ exits, those that *state* has weights of, or plain ones.

    Raises:
        UsageError: the network is no SiamRPN++ of several levels.
    """
    if isinstance(network, ExitSiamRPN):
        return network
    if not isinstance(network, SiamRPN):
        raise UsageError("only SiamRPN++ models have exits here", hint="siamrpn_nano, siamrpn_lite0, siamrpn_r50")
    trained = {part for part in ("gate", "quality") if any(key.startswith(f"{PREFIX}{part}.") for key in state or {})}
    return ExitSiamRPN(network, gates="gate" in trained, qualities="quality" in trained)
