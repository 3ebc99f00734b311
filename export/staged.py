"""The graphs of a network with exits: a search and an xcorr graph a stage, so that what is not reached does not run."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.graphs import TracedGraph, XcorrGraph, reference_crop, target_graph
from networks.exits import HIDDEN, KINDS, NECK, ExitSiamRPN, LevelMaps
from siamtrt import ParityError
from siamtrt.card import SEARCH, XCORR, ExitCard, StageCard

_SHARES_TOLERANCE = 1e-4


class _SearchStage(nn.Module):
    def __init__(self, network: ExitSiamRPN, number: int) -> None:
        super().__init__()
        self.network, self._number = network, number

    def forward(self, x: Tensor, neck: Tensor | None = None) -> tuple[Tensor, ...]:
        features, trunk, adjusted = self.network.search_stage(self._number, x, neck)
        if self._number == self.network.stages:
            return tuple(features.values())
        return (*features.values(), trunk, *([adjusted] if self.network.recycling == NECK else []))


class _XcorrStage(XcorrGraph):
    """See :class:`XcorrGraph`."""

    def __init__(self, network: ExitSiamRPN, number: int, inputs: tuple[str, ...], kernels: dict[str, Tensor]) -> None:
        super().__init__(inputs, kernels)
        self.network, self._number = network, number

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        given, kernels = self.sorted(tensors)
        earlier = [{kind: given[_level(kind, number)] for kind in KINDS} for number in range(1, self._number)]
        before = {kind: given[name] for kind, name in _hidden(self._number - 1).items() if name in given}
        stage = self.network.correlate_stage(self._number, given, kernels, earlier, before or None)
        if self._number == self.network.stages:
            return (*stage.maps.values(), stage.scores)
        hidden = stage.hidden.values() if self.network.recycling == HIDDEN else ()
        return (*stage.maps.values(), *stage.level.values(), *hidden, stage.scores)


@torch.no_grad()
def trace_stages(
    network: ExitSiamRPN, template_px: int, search_px: int, *, kernel_inputs: bool = False
) -> dict[str, TracedGraph]:
    """Split a network with exits, on reference crops.

    Args:
        network: in evaluation mode.
        template_px: side of the template, whose kernels the xcorr graphs hold.
        search_px: side of the search crop.
        kernel_inputs: make the kernels inputs of the xcorr graphs.

    Returns:
        By name: target, then search and xcorr of each stage. The maps of the last one are those of the network
        computed as a whole.
    """
    template, crop = reference_crop(template_px), reference_crop(search_px)
    target = target_graph(network, template)
    graphs = [target]
    incoming, hidden = {"search": crop}, dict[str, Tensor]()
    earlier: list[LevelMaps] = []
    for number, stage in enumerate(stage_cards(network), start=1):
        features, trunk, neck = network.search_stage(number, *incoming.values())
        kernels = {kernel: target.outputs[kernel] for kernel in stage.kernels}
        levels = {_level(kind, at): maps[kind] for at, maps in enumerate(earlier, start=1) for kind in KINDS}
        inputs = {**features, **levels, **hidden, **(kernels if kernel_inputs else {})}
        before = dict(zip(KINDS, hidden.values(), strict=True)) if hidden else None
        maps = network.correlate_stage(number, features, kernels, earlier, before)
        fused, onward, own, hidden = dict(maps.maps), dict[str, Tensor](), dict[str, Tensor](), dict[str, Tensor]()
        if number < network.stages:
            onward = {f"trunk_{number}": trunk, **({f"neck_{number}": neck} if network.recycling == NECK else {})}
            own = {_level(kind, number): maps.level[kind] for kind in KINDS}
            if network.recycling == HIDDEN:
                hidden = {name: maps.hidden[kind] for kind, name in _hidden(number).items()}
        else:
            fused = dict(zip(KINDS, network.correlate(network.search(crop), target.outputs), strict=True))
        searching = _SearchStage(network, number).eval()
        correlating = _XcorrStage(network, number, tuple(inputs), kernels).eval()
        scores = {stage.exit.output: maps.scores} if stage.exit else {}
        graphs.append(TracedGraph(stage.search, SEARCH, searching, incoming, {**features, **onward}))
        outputs = {**fused, **own, **hidden, **scores}
        shares = frozenset() if network.says_features else frozenset(scores)
        graphs.append(TracedGraph(stage.xcorr, XCORR, correlating, inputs, outputs, frozenset(own), shares))
        earlier.append(maps.level)
        incoming = onward
    return {graph.name: graph for graph in graphs}


@torch.no_grad()
def prove_shares(network: ExitSiamRPN, last: dict[str, Tensor]) -> None:
    """Prove that the levels' shares in every exit of a folded network sum to one.

    Less would shrink the logits and so the rate at which the tracker follows sizes, at that exit alone; parity with a
    network that is wrong itself would not see it.

    Args:
        network: folded.
        last: ``cls`` and ``loc`` -> the share of each level in the last exit, which folding moved into the heads.

    Raises:
        ParityError: they do not; the message names the exit.
    """
    for number in range(1, network.stages + 1):
        for kind, carried in last.items():
            scales = network.shares(kind, number)
            total = float((carried[:number] * (1 if scales is None else scales)).sum())
            if abs(total - 1) > _SHARES_TOLERANCE:
                raise ParityError(
                    f"the shares of {kind} in exit {number} sum to {total:.4f}, not to 1",
                    hint="networks.exits.ExitSiamRPN.fold",
                )


def stage_cards(network: ExitSiamRPN) -> tuple[StageCard, ...]:
    """What runs, for the model card."""
    return tuple(
        StageCard(
            f"{SEARCH}_{number}",
            f"{XCORR}_{number}",
            tuple(f"kernel_{kind}{level}" for kind in KINDS),
            ExitCard(f"exit_{number}", network.score_names(number)),
        )
        for number, level in enumerate(network.levels, start=1)
    )


def _level(kind: str, number: int) -> str:
    """The tensor that carries the map of one level to later exits."""
    return f"level_{kind}_{number}"


def _hidden(number: int) -> dict[str, str]:
    """The tensors that carry what the last convolutions of a level saw to the next stage, by kind."""
    return {kind: f"hidden_{kind}_{number}" for kind in KINDS}
