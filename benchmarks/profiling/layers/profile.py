"""Profile every engine of a folder, layer by layer, in a run of its own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from benchmarks.profiling.graph_work import title
from benchmarks.profiling.layers import onnx_profile, tensorrt_profile
from benchmarks.profiling.layers.layer_report import Layer, LayerReport, with_shares
from siamtrt import Manifest, ModelCard, UsageError
from siamtrt.environment import cores, describe
from siamtrt.progress import progress_bar


def profile(engines: Path, runs: int, threads: int | None) -> LayerReport:
    """Time the layers of every graph.

    Args:
        engines: folder written by ``python -m engines``.
        runs: how many the medians are of.
        threads: of the CPU backend.

    Raises:
        UsageError: there is no run, or plans are of an older build.
        PipelineError: of the backend.
    """
    if runs < 1:
        raise UsageError(f"{runs} runs have no median", hint="--runs 50")
    manifest, card = Manifest.load(engines, stage="engines"), ModelCard.load(engines)
    backend = manifest.settings["backend"]
    layers: list[Layer] = []
    for graph in progress_bar(card.graphs, desc="layers", unit="graph", leave=False):
        if backend == "onnxruntime":
            layers += onnx_profile.profile(engines / f"{graph.name}.onnx", graph, runs, threads)
        else:
            layers += tensorrt_profile.profile(engines / f"{graph.name}.plan", graph, runs, manifest)
    name = title(card, backend, manifest.settings["precision"])
    used = (threads or cores()) if backend == "onnxruntime" else None
    return LayerReport(name, runs, with_shares(layers), describe(), asdict(manifest), used)
