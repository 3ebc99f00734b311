"""The study of int8.md on INT8 correlations: how the scales of a new target's kernels are chosen.

``python -m studies.int8_kernels build/MODEL/onnx build/MODEL/calibration`` prints the signal to noise of the maps with
only the correlations in INT8, over 48 calibration crops.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Callable, Mapping

import numpy as np
import onnx
from onnx import helper

from engines.graph import correlations, integer_nodes
from engines.onnxruntime.quantize import quantize
from engines.sensitivity.graphs_in_turn import GraphsInTurn, noise, refitted
from engines.sensitivity.ranking import decibel
from siamtrt import Tensors
from siamtrt.libraries.onnxruntime import open_session
from siamtrt.ranges import Ranges, TensorRange, file_name

_SAMPLES = 48


def main(folder: Path, calibration: Path) -> None:
    """Print one line for each way."""
    graphs = GraphsInTurn(folder, calibration, _SAMPLES)
    card = graphs.card
    (stage,) = card.search.stages
    model, kernels = graphs.models[stage.xcorr], graphs.kernels(stage.xcorr)
    ranges = Ranges.load(calibration / file_name(stage.xcorr), onnx=folder / f"{stage.xcorr}.onnx")
    correlating = correlations(model, stage.kernels)
    plan = [integer for integer in integer_nodes(model.graph) if integer.node.name in correlating]
    built = quantize(model, plan, ranges, kernels=stage.kernels)
    spans = _normalised_spans(graphs, stage.xcorr)

    def normalised(own: Tensors) -> bytes:
        tensors = dict(ranges.tensors)
        for name, (low, high) in spans.items():
            size = float(np.linalg.norm(own[name]))
            tensors[_product(name)] = TensorRange(min(0.0, low * size), high * size, high * size, "minmax")
        return refitted(quantize(model, plan, Ranges("", tensors), kernels=stage.kernels), own)

    ways: dict[str, Callable[[Tensors], bytes]] = {
        "scales of another target's kernels": lambda own: refitted(built, _rounded_by(own, kernels[0])),
        "scales of its own kernels": lambda own: refitted(built, own),
        "and outputs normalised by the kernels' L2 norm": normalised,
    }
    names = [output.name for output in card.graph(stage.xcorr).outputs]
    for title, way in ways.items():
        maps = []
        for own, features in zip(kernels, graphs.inputs(stage.xcorr)):
            outputs = open_session(way(own)).run(names, features)
            maps.append({f"{stage.xcorr}:{name}": value for name, value in zip(names, outputs)})
        print(f"{decibel(noise(graphs.maps, maps)[0]):6.1f} dB  {title}")  # noqa: T201


def _product(kernel: str) -> str:
    return kernel.replace("kernel_", "correlation_")


def _rounded_by(kernels: Tensors, other: Tensors) -> Tensors:
    """The kernels in the codes of *other*'s scales, as a refit that leaves scales alone would store them."""
    rounded = {}
    for name, kernel in kernels.items():
        largest = np.abs(other[name]).reshape(len(kernel), -1).max(1).reshape(-1, *[1] * (kernel.ndim - 1))
        scale = np.maximum(largest, 1e-20) / 127
        rounded[name] = (np.clip(np.rint(kernel / scale), -127, 127) * scale).astype(np.float32)
    return rounded


def _normalised_spans(graphs: GraphsInTurn, xcorr: str) -> Mapping[str, tuple[float, float]]:
    """Least and greatest product of each correlation over its kernel's norm, of every second sample."""
    probe, names = onnx.ModelProto(), graphs.card.refitted(xcorr)
    probe.CopyFrom(graphs.models[xcorr])
    products = [_product(name) for name in names]
    probe.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in products)
    spans = dict.fromkeys(names, (0.0, 0.0))
    for kernels, features in list(zip(graphs.kernels(xcorr), graphs.inputs(xcorr)))[::2]:
        outputs = open_session(refitted(probe, kernels)).run(products, features)
        for name, product in zip(names, outputs):
            size = np.linalg.norm(kernels[name])
            low, high = spans[name]
            spans[name] = min(low, float(product.min() / size)), max(high, float(product.max() / size))
    return spans


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
