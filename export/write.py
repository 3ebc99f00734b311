"""Write a network as an ONNX folder: graphs, model card, manifest."""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from onnx import ModelProto
from torch import Tensor

from export.fold_norms import fold_norms
from export.graphs import TracedGraph, trace
from export.parity import measure
from export.staged import prove_shares, stage_cards, trace_stages
from export.to_onnx import to_onnx
from networks.exits import KINDS, ExitSiamRPN
from networks.models import ModelSpec, spec
from networks.tracker import TrackerNetwork
from siamtrt import Manifest, ModelCard, TensorSpec, UsageError
from siamtrt import card as model_card
from siamtrt.card import SEARCH, TARGET, XCORR, LostRule, SearchCard, StageCard
from siamtrt.environment import describe
from siamtrt.files import sha256, write_bytes
from siamtrt.pruning import record_of

_LOST = "_lost"  # suffix of the graphs that search for a lost target

log = logging.getLogger(__name__)


def write(
    network: TrackerNetwork,
    name: str,
    out: Path,
    *,
    checkpoint: Path | None,
    command: str,
    kernel_inputs: bool = False,
    exits: bool = False,
) -> ModelCard:
    """Export *network*.

    Args:
        network: in evaluation mode; fusion and batch norms are folded in place.
        name: a key of ``networks.models.MODELS``.
        out: folder for the graphs, ``model.json`` and, last, ``manifest.json``.
        checkpoint: the file the weights came from, whose record of pruning says which variant it is; None for seeded
            ones, whose digest then is that of the sorted names and bytes of the state dict.
        command: recorded in the manifest.
        kernel_inputs: make the kernels inputs of the xcorr graph.
        exits: a search and an xcorr graph a stage, so that a tracker can stop early; the network has exits then.

    Returns:
        The model card.

    Raises:
        UsageError: exits of a network without, or of a long-term model.
        BuildError: a graph cannot be exported.
        ParityError: ONNX Runtime and torch disagree.
        ArtifactError: *out* cannot be written.
    """
    started_ns = time.perf_counter_ns()
    model, cut = spec(name), record_of(checkpoint) if checkpoint else None
    digest = _digest(network)
    stages = _stages(network, model) if exits else ()
    graphs = _folded(network, model, kernel_inputs=kernel_inputs, exits=exits)
    exported = {graph_name: to_onnx(graph) for graph_name, graph in graphs.items()}
    digest = sha256(checkpoint) if checkpoint else digest
    card = _card(name, model, graphs, exported, digest, stages, kernel_inputs=kernel_inputs)
    card = replace(card, architecture=network.architecture, parity=measure(graphs, exported, card.searches))
    if cut:
        card = replace(card, variant=cut.variant, sources=cut.sources)
    for graph_name, proto in exported.items():
        write_bytes(out / f"{graph_name}.onnx", proto.SerializeToString())
    card.save(out)
    Manifest.of(
        out,
        [*(f"{graph_name}.onnx" for graph_name in graphs), model_card.FILE_NAME],
        stage="export",
        command=command,
        parents=[checkpoint] if checkpoint else [],
        settings={"model": name, "kernel_inputs": kernel_inputs, **({"exits": True} if exits else {})},
        environment=describe(),
    ).save(out)
    seconds = (time.perf_counter_ns() - started_ns) / 1e9
    log.info(
        "exported %s to %s, largest difference to torch %.1e, %.1f s", name, out, max(card.parity.values()), seconds
    )
    return card


def _stages(network: TrackerNetwork, model: ModelSpec) -> tuple[StageCard, ...]:
    if model.lost:
        raise UsageError("a long-term model has no exits: its two searches share their heads", hint="leave out --exits")
    if not isinstance(network, ExitSiamRPN):
        raise UsageError("this network has no exits", hint="networks.exits.with_exits")
    return stage_cards(network)


def _folded(network: TrackerNetwork, model: ModelSpec, *, kernel_inputs: bool, exits: bool) -> dict[str, TracedGraph]:
    """Fold in place; the graphs have to return what the network did before, so that parity proves the folding too."""
    sizes = {"": model.search_px, **({_LOST: model.lost.search_px} if model.lost else {})}
    traced = partial(trace, network, model.template_px, sizes, kernel_inputs=kernel_inputs)
    if exits and isinstance(network, ExitSiamRPN):
        traced = partial(trace_stages, network, model.template_px, model.search_px, kernel_inputs=kernel_inputs)
    before = traced()
    if exits and isinstance(network, ExitSiamRPN):
        shares = {kind: share for kind in KINDS if (share := network.fusion(kind)) is not None}
        network.fold()
        prove_shares(network, shares)
    else:
        network.fold()
    fold_norms(network)
    return {name: _proved_by(graph, before[name]) for name, graph in traced().items()}


def _proved_by(graph: TracedGraph, before: TracedGraph) -> TracedGraph:
    """*graph* with the outputs it had before folding, but for those in whose scale folding has a say."""
    kept = {name: tensor for name, tensor in before.outputs.items() if name not in graph.rescaled}
    return replace(graph, outputs={**graph.outputs, **kept})


def _card(
    name: str,
    model: ModelSpec,
    graphs: dict[str, TracedGraph],
    exported: dict[str, ModelProto],
    checkpoint_sha256: str,
    stages: tuple[StageCard, ...],
    *,
    kernel_inputs: bool,
) -> ModelCard:
    return ModelCard(
        name=name,
        family=model.family,
        template_px=model.template_px,
        stride=model.stride,
        anchor_ratios=model.anchor_ratios,
        anchor_scales=model.anchor_scales,
        tracker=model.tracker,
        searches=_searches(model, graphs, stages),
        kernels=tuple(_spec(kernel_name, kernel) for kernel_name, kernel in graphs[TARGET].outputs.items()),
        graphs=tuple(graph.card(exported[graph.name]) for graph in graphs.values()),
        checkpoint_sha256=checkpoint_sha256,
        kernel_inputs=kernel_inputs,
    )


def _searches(
    model: ModelSpec, graphs: dict[str, TracedGraph], stages: tuple[StageCard, ...]
) -> tuple[SearchCard, ...]:
    kernels = tuple(graphs[TARGET].outputs)

    def search(suffix: str, search_px: int, influence: float, rule: LostRule | None = None) -> SearchCard:
        parts = stages or (StageCard(f"{SEARCH}{suffix}", f"{XCORR}{suffix}", kernels),)
        return SearchCard(search_px, graphs[parts[-1].xcorr].outputs["cls"].shape[-1], influence, parts, rule)

    ordinary, lost = search("", model.search_px, model.tracker.window_influence), model.lost
    return (ordinary, search(_LOST, lost.search_px, lost.window_influence, lost.rule)) if lost else (ordinary,)


def _spec(name: str, tensor: Tensor) -> TensorSpec:
    return TensorSpec(name, tuple(tensor.shape))


def _digest(network: TrackerNetwork) -> str:
    digest = hashlib.sha256()
    for key, tensor in sorted(network.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
