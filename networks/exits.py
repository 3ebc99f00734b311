"""SiamRPN++ that may stop at each of its levels: exit k fuses the maps of the levels 1 to k.

The levels' heads are the exits' heads, so that an exit adds no convolution, the maps of earlier levels are used again,
and the last exit is the network without exits. Stages and exits are numbered from 1, as in graphs and reports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812  torch's own name for it
from torch import Tensor, nn

from networks.exit_scores import (
    GATE,
    KEEP,
    MAP_FEATURES,
    OVERLAP,
    PEAK,
    PEAKS_AT,
    Gate,
    Quality,
    map_features,
    margins,
    pooled,
)
from networks.siamrpn import SiamRPN, weighted_sum
from networks.trunks.staged import StagedTrunk
from siamtrt import UsageError

PREFIX = "exits."
FEATURE = "feature:"  # of the names of what scores are computed from
KINDS = ("cls", "loc")
MAPS, HIDDEN, NECK = "maps", "hidden", "neck"  # ways of recycling, see ExitSiamRPN

LevelMaps = Mapping[str, Tensor]  # cls Bx2AxRxR and loc Bx4AxRxR of one level, as later exits take them


@dataclass(frozen=True)
class StageMaps:
    """What one stage puts out.

    Attributes:
        maps: ``cls`` and ``loc`` of this exit, the levels so far fused.
        level: those of its own level, for later exits.
        scores: BxS, in the order of :meth:`ExitSiamRPN.score_names`; 0..1 but for features.
        features: BxF, what the scores are computed from: the twelve numbers of the map, then pooled features.
        hidden: what the last convolutions of ``cls`` and ``loc`` saw: BxHxRxR each; the next stage may take it.
    """

    maps: LevelMaps
    level: LevelMaps
    scores: Tensor
    features: Tensor
    hidden: LevelMaps


class _Exits(nn.Module):
    """What exits add, by number: fusion weights of the middle ones, recycling, gates, quality networks."""

    def __init__(
        self,
        fusion: Mapping[str, Tensor],
        widths: Sequence[int],
        added: Mapping[str, Mapping[str, Tensor]],
        *,
        gates: bool,
        qualities: bool,
    ) -> None:
        super().__init__()
        numbers = range(2, len(widths))
        for kind in KINDS:
            rows = {str(number): nn.Parameter(fusion[kind][:number].clone()) for number in numbers}
            self.add_module(f"{kind}_weight", nn.ParameterDict(rows))
        for name, weights in added.items():
            self.add_module(name, nn.ParameterDict(dict(weights)))
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
        recycling: what a stage takes of the one before. ``maps``: its maps. ``hidden``: also what its last convolutions
            saw, which is added to what its own see, each channel with a weight. ``neck``: also its adjusted feature,
            which joins that of the own level before the search branch's convolutions. The weights of both begin at
            zero, so that nothing changes before they are trained.
        readouts: each exit but the last adds a linear function of its hidden features to its maps, zero to begin with:
            what can be trained while the last exit stays as it is.
        gates: the exits have gates.
        qualities: the exits say how good their box is.

    Attributes:
        stages: how many there are, one a level.
        says_features: the exits put out what their scores are computed from, for training these on tracked videos.

    Raises:
        UsageError: the network has one level, or a trunk that runs in one go.
    """

    def __init__(
        self,
        network: SiamRPN,
        *,
        recycling: str = MAPS,
        readouts: bool = False,
        gates: bool = False,
        qualities: bool = False,
    ) -> None:
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
        self.recycling, self._reads_out = recycling, readouts
        added = {**self._recycled(), **(self._readouts() if readouts else {})}
        self.exits = _Exits(fusion, widths, added, gates=gates, qualities=qualities)
        self.says_features = False
        self._ratios: dict[tuple[str, int], Tensor] = {}
        self._joint = nn.ModuleDict()  # see _join_readouts; once folded

    def with_scores(self) -> ExitSiamRPN:
        """The same network with gates and quality networks, random ones where it has none; not this one any more."""
        state, recycling, readouts = self.state_dict(), self.recycling, self._reads_out
        network = ExitSiamRPN(self, recycling=recycling, readouts=readouts, gates=True, qualities=True)
        network.load_state_dict({**network.state_dict(), **state})
        return network

    def score_names(self, number: int = 1) -> tuple[str, ...]:
        """What an exit says of itself: the largest probability of its map, then what was trained.

        The last one, where nobody is left to decide, says the first alone, unless features are asked for.
        """
        if number == self.stages and not self.says_features:
            return (PEAK,)
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
        if self.recycling == NECK:
            for kind, number in self._joined():
                branch = self.head(self.levels[number - 1], kind).conv_search
                weight = self._joint_weight(kind, number)
                joint = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], bias=False)
                joint.weight.copy_(weight)
                branch[0] = joint.train(branch.training)
        for trained in (*self.exits.gate.values(), *self.exits.quality.values()):
            cast("Gate | Quality", trained).fold()
        super().fold()
        if self._reads_out:
            self._join_readouts()

    def search_stage(
        self, number: int, x: Tensor, neck: Tensor | None = None
    ) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Run one stage of the search branch.

        Args:
            number: of the stage.
            x: the search crop, or the trunk's feature map of the stage before.
            neck: the adjusted feature of the stage before, where that is recycled.

        Returns:
            The features of this level, name -> BxCxHxW, the trunk's feature map, and this level's adjusted one.
        """
        level, feature = self.levels[number - 1], self.backbone.stage(number - 1, x)
        adjusted = self.adjusted(level, feature)
        return self._prepared(number, adjusted, neck), feature, adjusted

    def correlate_stage(
        self,
        number: int,
        features: dict[str, Tensor],
        kernels: dict[str, Tensor],
        earlier: Sequence[LevelMaps],
        before: LevelMaps | None = None,
    ) -> StageMaps:
        """Correlate one level, and fuse its maps with those of the levels before.

        Args:
            number: of the stage.
            features: of :meth:`search_stage`; others may be among them.
            kernels: see :meth:`TrackerNetwork.correlate`.
            earlier: the maps of the levels before, in order.
            before: what the stage before gave as hidden, where that is recycled.
        """
        level = self.levels[number - 1]
        hidden = self._seen(number, features, kernels, before)
        own = {kind: self.head(level, kind).map(hidden[kind]) for kind in KINDS}
        maps = {
            kind: self._fused(kind, number, [*(maps[kind] for maps in earlier), own[kind]], hidden[kind])
            for kind in KINDS
        }
        features_of_scores, scores = self._scores(number, maps["cls"], hidden)
        return StageMaps(maps, own, scores, features_of_scores, hidden)

    def exit_maps(self, template: Tensor, search: Tensor) -> list[StageMaps]:
        """All exits of pairs of crops, for training."""
        kernels, x, stages = self.template(template), search, list[StageMaps]()
        neck = before = None
        for number in range(1, self.stages + 1):
            features, x, neck = self.search_stage(number, x, neck)
            earlier = [stage.level for stage in stages]
            stages.append(self.correlate_stage(number, features, kernels, earlier, before))
            before = stages[-1].hidden
        return stages

    def features(self, adjusted: list[Tensor]) -> dict[str, Tensor]:
        """See :meth:`SiamRPN.features`."""
        before = [None, *adjusted[:-1]]
        prepared = [self._prepared(number, adjusted[number - 1], before[number - 1]) for number in self._numbers]
        return {name: feature for features in prepared for name, feature in features.items()}

    def correlate(self, features: dict[str, Tensor], kernels: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """See :meth:`SiamRPN.correlate`; the last exit."""
        seen = list[LevelMaps]()
        for number in self._numbers:
            seen.append(self._seen(number, features, kernels, seen[-1] if seen else None))
        maps = {
            kind: [self.head(level, kind).map(hidden[kind]) for level, hidden in zip(self.levels, seen, strict=True)]
            for kind in KINDS
        }
        cls, loc = (weighted_sum(maps[kind], self.fusion(kind)) for kind in KINDS)
        return cls, loc

    @property
    def _numbers(self) -> range:
        return range(1, self.stages + 1)

    def _joined(self) -> list[tuple[str, int]]:
        """Kind and number of the stages that have a stage before them."""
        return [(kind, number) for kind in KINDS for number in self._numbers[1:]]

    def _recycled(self) -> dict[str, dict[str, Tensor]]:
        """Weights of what is taken of the stage before, all zero: name -> number -> weight."""
        if self.recycling == MAPS:
            return {}
        weights: dict[str, dict[str, Tensor]] = {f"{self.recycling}_{kind}": {} for kind in KINDS}
        for kind, number in self._joined():
            head, before = (self.head(self.levels[at], kind) for at in (number - 1, number - 2))
            if self.recycling == HIDDEN:
                if head.width != before.width:
                    raise UsageError("levels of different widths cannot add their features", hint=f"recycling {MAPS}")
                weight = torch.zeros(before.width)
            else:
                own, other = (next(branch.conv_search[0].parameters()) for branch in (head, before))
                weight = torch.zeros(own.shape[0], other.shape[1], *own.shape[2:])
            weights[f"{self.recycling}_{kind}"][str(number)] = weight
        return weights

    def _fused(self, kind: str, number: int, levels: list[Tensor], hidden: Tensor) -> Tensor:
        """The map of an exit: those of the levels so far with their shares, and what is read off hidden features."""
        shares = self.shares(kind, number)
        if not self._reads_out or number == self.stages:
            return weighted_sum(levels, shares)
        if self.folded:
            before = [share * level for share, level in zip(cast("Tensor", shares), levels[:-1], strict=False)]
            return weighted_sum([*before, self._joint[f"{kind}_{number}"](hidden)], None)
        return weighted_sum(levels, shares) + F.conv2d(hidden, *self._readout(kind, number))

    @torch.no_grad()
    def _join_readouts(self) -> None:
        """Make one convolution of what an exit reads off its hidden features and its own level's map with its share."""
        for kind in KINDS:
            for number in self._numbers[:-1]:
                (weight, bias), shares = self._readout(kind, number), self.shares(kind, number)
                own = cast("nn.Conv2d", self.head(self.levels[number - 1], kind).head[3])
                share = 1.0 if shares is None else shares[-1]
                joint = nn.Conv2d(weight.shape[1], weight.shape[0], 1)
                joint.weight.copy_(weight + share * own.weight)
                joint.bias = nn.Parameter(bias + share * cast("Tensor", own.bias))
                self._joint[f"{kind}_{number}"] = joint

    def _readouts(self) -> dict[str, dict[str, Tensor]]:
        """Weights and biases of what exits but the last read off their hidden features, all zero: name -> number."""
        added: dict[str, dict[str, Tensor]] = {}
        for kind in KINDS:
            heads = {str(number): self.head(self.levels[number - 1], kind) for number in self._numbers[:-1]}
            weights = {number: torch.zeros(head.outputs, head.width, 1, 1) for number, head in heads.items()}
            added[f"readout_{kind}"] = weights
            added[f"readout_{kind}_bias"] = {number: torch.zeros(head.outputs) for number, head in heads.items()}
        return added

    def _readout(self, kind: str, number: int) -> tuple[Tensor, Tensor]:
        """The weight and the bias that an exit reads its maps off with."""
        weights, biases = getattr(self.exits, f"readout_{kind}"), getattr(self.exits, f"readout_{kind}_bias")
        return weights[str(number)], biases[str(number)]

    def _taken(self, kind: str, number: int) -> Tensor:
        weights: nn.ParameterDict = getattr(self.exits, f"{self.recycling}_{kind}")
        return cast("Tensor", weights[str(number)])

    def _joint_weight(self, kind: str, number: int) -> Tensor:
        own = next(self.head(self.levels[number - 1], kind).conv_search[0].parameters())
        return torch.cat([own, self._taken(kind, number)], 1)

    def _prepared(self, number: int, adjusted: Tensor, neck: Tensor | None) -> dict[str, Tensor]:
        """A level's features to correlate, made of the adjusted one of the level before too where that is taken."""
        level, features = self.levels[number - 1], {}
        for kind in KINDS:
            branch = self.head(level, kind).conv_search
            if neck is None or self.recycling != NECK:
                prepared = branch(adjusted)
            elif self.folded:
                prepared = branch(torch.cat([adjusted, neck], 1))
            else:
                prepared = branch[1:](F.conv2d(torch.cat([adjusted, neck], 1), self._joint_weight(kind, number)))
            features[f"feature_{kind}{level}"] = prepared
        return features

    def _seen(
        self, number: int, features: dict[str, Tensor], kernels: dict[str, Tensor], before: LevelMaps | None
    ) -> dict[str, Tensor]:
        """What the last convolutions of a level see, with what those of the one before saw where it is taken."""
        seen = {kind: self.hidden(self.levels[number - 1], kind, features, kernels) for kind in KINDS}
        if before is None or self.recycling != HIDDEN:
            return seen
        return {kind: seen[kind] + self._taken(kind, number).reshape(1, -1, 1, 1) * before[kind] for kind in KINDS}

    def _scores(self, number: int, cls: Tensor, hidden: LevelMaps) -> tuple[Tensor, Tensor]:
        """What the scores of an exit are computed from, and the scores, each 0..1."""
        margin = margins(_float32(cls))
        of_map = map_features(margin.sigmoid())
        names = self.score_names(number)
        # Where nothing else is said, the twelve numbers are computed by nobody.
        scores = [of_map[:, PEAKS_AT : PEAKS_AT + 1] if len(names) > 1 else margin.amax(1, keepdim=True).sigmoid()]
        if GATE in names:
            scores.append(self.exits.gate_of(number).logits(of_map).sigmoid())
        features = torch.cat([of_map, *(pooled(margin, _float32(hidden[kind])) for kind in KINDS)], 1)
        if KEEP in names:
            scores.append(self.exits.quality_of(number).logits(features).sigmoid())
        if self.says_features:
            scores.append(features)
        return features, torch.cat(scores, 1)


def _float32(tensor: Tensor) -> Tensor:
    """*tensor* in float32, without a cast in the traced graph where it is so already."""
    return tensor if tensor.dtype == torch.float32 else tensor.float()


def with_exits(
    network: nn.Module, state: Mapping[str, Tensor] | None = None, *, recycling: str = MAPS, readouts: bool = False
) -> ExitSiamRPN:
    """Give a SiamRPN++ exits, those that *state* has weights of, or plain ones as asked.

    Raises:
        UsageError: the network is no SiamRPN++ of several levels.
    """
    if isinstance(network, ExitSiamRPN):
        return network
    if not isinstance(network, SiamRPN):
        raise UsageError("only SiamRPN++ models have exits here", hint="siamrpn_nano, siamrpn_lite0, siamrpn_r50")
    trained = {key[len(PREFIX) :].split(".")[0].split("_")[0] for key in state or {} if key.startswith(PREFIX)}
    recycling = next((name for name in (HIDDEN, NECK) if name in trained), recycling)
    return ExitSiamRPN(
        network,
        recycling=recycling,
        readouts=readouts or "readout" in trained,
        gates="gate" in trained,
        qualities="quality" in trained,
    )
