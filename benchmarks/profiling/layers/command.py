"""``python -m benchmarks layers``: profile every engine of a folder, layer by layer, in a run of its own."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import List

from tqdm import tqdm

from benchmarks.profiling.layers import onnx_profile, tensorrt_profile
from benchmarks.profiling.layers.compare import table
from benchmarks.profiling.layers.report import Layer, LayerReport
from siamtrt import Manifest, ModelCard, UsageError, cli
from siamtrt.environment import describe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument(
        "--engines", type=Path, required=True, help="folder written by python -m engines; plans need --detailed"
    )
    parser.add_argument("--runs", type=int, default=50, help="the medians are of")
    parser.add_argument("--threads", type=cli.count, help="of the CPU backend; all cores by default")
    parser.add_argument("--out", type=Path, required=True, help="the report, a JSON file")


def main(options: argparse.Namespace) -> None:
    """Profile, write the report, and print it by layer type."""
    if options.runs < 1:
        raise UsageError(f"{options.runs} runs have no median", hint="--runs 50")
    manifest, card = Manifest.load(options.engines, stage="engines"), ModelCard.load(options.engines)
    backend = manifest.settings.get("backend")
    layers: List[Layer] = []
    for graph in tqdm(card.graphs, desc="layers", unit="graph", leave=False):
        if backend == "onnxruntime":
            path = options.engines / f"{graph.name}.onnx"
            layers += onnx_profile.profile(path, graph, options.runs, options.threads)
        elif backend == "tensorrt":
            layers += tensorrt_profile.profile(options.engines / f"{graph.name}.plan", graph, options.runs)
        else:
            raise UsageError(f"layers of the backend {backend!r} cannot be profiled", hint="onnxruntime or tensorrt")
    title = f"{card.name} {backend} {manifest.settings['precision']}"
    report = LayerReport(title, options.runs, tuple(layers), describe(), asdict(manifest))
    report.save(options.out)
    print(table([report], "type"))  # noqa: T201
    if report.integer_share:
        print(f"{100 * report.integer_share:.1f} % of a frame's multiply-accumulates are in 8-bit integers")  # noqa: T201
