"""A network into an ONNX folder: graphs, model card, manifest."""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import replace
from pathlib import Path

from onnx import ModelProto
from torch import Tensor

from export.fold_norms import fold_norms
from export.graphs import LOST_SUFFIX, TracedGraph, trace
from export.parity import measure
from export.reference import reference_crop
from export.to_onnx import to_onnx
from networks.models import ModelSpec, spec
from networks.tracker import TrackerNetwork
from siamtrt import Manifest, ModelCard, TensorSpec
from siamtrt import card as model_card
from siamtrt.card import SEARCH, TARGET, XCORR, LostRule, SearchCard, StageCard
from siamtrt.environment import describe
from siamtrt.files import sha256, write_bytes

log = logging.getLogger(__name__)


def write(
    network: TrackerNetwork, name: str, out: Path, *, checkpoint: Path | None, command: str, kernel_inputs: bool = False
) -> ModelCard:
    """Export *network*.

    Args:
        network: in evaluation mode; fusion and batch norms are folded in place.
        name: a key of ``networks.models.MODELS``.
        out: folder for the graphs, ``model.json`` and, last, ``manifest.json``.
        checkpoint: the file the weights came from; None for seeded ones, whose digest then is that of the sorted names
            and bytes of the state dict.
        command: recorded in the manifest.
        kernel_inputs: make the kernels inputs of the xcorr graph.

    Returns:
        The model card.

    Raises:
        BuildError: a graph cannot be exported.
        ParityError: ONNX Runtime and torch disagree.
        ArtifactError: *out* cannot be written.
    """
    started_ns = time.perf_counter_ns()
    model = spec(name)
    digest = _digest(network)
    graphs = _folded(network, model, kernel_inputs=kernel_inputs)
    exported = {graph_name: to_onnx(graph) for graph_name, graph in graphs.items()}
    parity = measure(graphs, exported)
    for graph_name, proto in exported.items():
        write_bytes(out / f"{graph_name}.onnx", proto.SerializeToString())
    card = _card(
        name, model, graphs, exported, parity, sha256(checkpoint) if checkpoint else digest, kernel_inputs=kernel_inputs
    )
    card = replace(card, architecture=network.architecture)
    card.save(out)
    Manifest.of(
        out,
        [*(f"{graph_name}.onnx" for graph_name in graphs), model_card.FILE_NAME],
        stage="export",
        command=command,
        parents=[checkpoint] if checkpoint else [],
        settings={"model": name, "kernel_inputs": kernel_inputs},
        environment=describe(),
    ).save(out)
    seconds = (time.perf_counter_ns() - started_ns) / 1e9
    log.info("exported %s to %s, largest difference to torch %.1e, %.1f s", name, out, max(parity.values()), seconds)
    return card


def _folded(network: TrackerNetwork, model: ModelSpec, *, kernel_inputs: bool) -> dict[str, TracedGraph]:
    """Fold in place; the graphs have to return what the network did before, so that parity proves the folding too."""
    wanted = {graph.name: graph.outputs for graph in _traced(network, model, kernel_inputs=kernel_inputs)}
    network.fold()
    fold_norms(network)
    folded = _traced(network, model, kernel_inputs=kernel_inputs)
    return {graph.name: replace(graph, outputs=wanted[graph.name]) for graph in folded}


def _traced(network: TrackerNetwork, model: ModelSpec, *, kernel_inputs: bool) -> list[TracedGraph]:
    template = reference_crop(model.template_px)
    graphs = trace(network, template, reference_crop(model.search_px), kernel_inputs=kernel_inputs)
    if model.lost:
        search = reference_crop(model.lost.search_px)
        graphs += trace(network, template, search, suffix=LOST_SUFFIX, kernel_inputs=kernel_inputs)[1:]
    return graphs


def _card(
    name: str,
    model: ModelSpec,
    graphs: dict[str, TracedGraph],
    exported: dict[str, ModelProto],
    parity: dict[str, float],
    checkpoint_sha256: str,
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
        searches=_searches(model, graphs),
        kernels=tuple(_spec(kernel_name, kernel) for kernel_name, kernel in graphs[TARGET].outputs.items()),
        graphs=tuple(graph.card(exported[graph.name]) for graph in graphs.values()),
        checkpoint_sha256=checkpoint_sha256,
        kernel_inputs=kernel_inputs,
        parity=parity,
    )


def _searches(model: ModelSpec, graphs: dict[str, TracedGraph]) -> tuple[SearchCard, ...]:
    sizes: list[tuple[int, float, str, LostRule | None]] = [(model.search_px, model.tracker.window_influence, "", None)]
    if model.lost:
        sizes.append((model.lost.search_px, model.lost.window_influence, LOST_SUFFIX, model.lost.rule))
    kernels = tuple(graphs[TARGET].outputs)
    return tuple(
        SearchCard(
            search_px,
            graphs[f"{XCORR}{suffix}"].outputs["cls"].shape[-1],
            influence,
            (StageCard(f"{SEARCH}{suffix}", f"{XCORR}{suffix}", kernels),),
            rule,
        )
        for search_px, influence, suffix, rule in sizes
    )


def _spec(name: str, tensor: Tensor) -> TensorSpec:
    return TensorSpec(name, tuple(tensor.shape))


def _digest(network: TrackerNetwork) -> str:
    digest = hashlib.sha256()
    for key, tensor in sorted(network.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
