"""A script for NVIDIA's polygraphy that compares every engine of a folder with its graph on ONNX Runtime.

It shares no code with the runtime here: polygraphy opens the engines, feeds them, and compares what they put out.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Mapping

import numpy as np

from runtime.crop import crop, network_input
from runtime.frames import fill_color
from runtime.onnxruntime.engine import Engine
from runtime.tensorrt.refit_proof import TOLERANCES
from sequences.sequence import Sequence
from siamtrt import GraphCard, GraphPrecisions, Manifest, ModelCard, Tensors
from siamtrt.files import write_text
from siamtrt.geometry import Place, Square, search_square, template_square

SCRIPT = "compare.sh"
_SUFFIXES: Mapping[str, tuple[str, str]] = {"onnxruntime": (".onnx", "--onnxrt")}
_PLAN = (".plan", "--trt --model-type engine")
_RTX = "tensorrt_rtx"
_LOADER = '''"""What polygraphy feeds to {graph}."""

from pathlib import Path

import numpy as np


def load_data():
    with np.load(str(Path(__file__).with_name("{graph}.npz"))) as tensors:
        yield dict(tensors)
'''


def write(engines: Path, onnx: Path, clip: Sequence, out: Path) -> Path:
    """Write the script and what it feeds, crops of the first two frames of *clip* and what the graphs make of them.

    Args:
        engines: folder written by ``python -m engines``.
        onnx: the graphs it was built from.
        clip: its first frame's box is the target.
        out: folder of the script; may be moved only together with the other two.

    Returns:
        Path of the script, which polygraphy's own package is needed to run.

    Raises:
        ArtifactError: a folder is unfinished or changed, or *out* cannot be written.
        InferenceError: ONNX Runtime failed.
    """
    manifest, card = Manifest.load(engines, stage="engines"), ModelCard.load(engines)
    Manifest.load(onnx, stage="export")
    precisions = GraphPrecisions.parse(manifest.settings["precision"])
    suffix, runner = _SUFFIXES.get(manifest.settings["backend"], _PLAN)
    lines = ["#!/bin/sh", f"# {engines.name} beside ONNX Runtime: sh {SCRIPT}", "set -e", 'cd "$(dirname "$0")"']
    if _RTX in manifest.environment:
        lines.append("export POLYGRAPHY_USE_TENSORRT_RTX=1")
    out.mkdir(parents=True, exist_ok=True)
    tensors = _inputs(card, clip)
    for graph in card.graphs:
        feeds: dict[str, Any] = {spec.name: tensors[spec.name] for spec in graph.inputs}
        outputs = Engine(onnx / f"{graph.name}.onnx", graph, threads=1).run(feeds)
        tensors.update({name: value for name, value in outputs.items() if name not in tensors})
        np.savez(str(out / f"{graph.name}.npz"), **feeds)
        write_text(out / f"{graph.name}_inputs.py", _LOADER.format(graph=graph.name))
        lines += _comparison(
            graph, onnx, engines / f"{graph.name}{suffix}", runner, outputs, TOLERANCES[precisions.of(graph)]
        )
    write_text(out / SCRIPT, "\n".join(lines) + "\n")
    return out / SCRIPT


def _comparison(
    graph: GraphCard, onnx: Path, engine: Path, runner: str, outputs: Tensors, tolerance: float
) -> list[str]:
    """Two runs of polygraphy on the same tensors; the second compares. *tolerance* is a share of an output's range."""
    feed = f"--data-loader-script {graph.name}_inputs.py"
    reference = f"{graph.name}.reference.json"
    limits = " ".join(f"{name}:{tolerance * float(np.ptp(value)):.6g}" for name, value in outputs.items())
    return [
        f"polygraphy run {_quoted(onnx / f'{graph.name}.onnx')} --onnxrt {feed} --save-outputs {reference}",
        f"polygraphy run {_quoted(engine)} {runner} {feed} --load-outputs {reference} --rtol 0 --atol {limits}",
    ]


def _inputs(card: ModelCard, clip: Sequence) -> Tensors:
    """The crops that the graphs see, by the names of the inputs."""
    first, second = clip.frame(0), clip.frame(1)
    place, fill = Place.given(clip.start_box(0)), fill_color(first)
    tensors = {card.target.inputs[0].name: _picture(first, template_square(place, card), fill)}
    for search in card.searches:
        picture = card.graph(search.crop).inputs[0]
        tensors[picture.name] = _picture(second, search_square(place, card, search), fill)
    return tensors


def _picture(frame: np.ndarray, square: Square, fill: tuple[int, int, int]) -> np.ndarray:
    picture = np.empty((1, 3, square.out_px, square.out_px), np.float32)
    network_input(crop(frame, square, fill), picture)
    return picture


def _quoted(path: Path) -> str:
    return shlex.quote(str(path.resolve()))
