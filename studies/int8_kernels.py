"""The study of int8.md on INT8 correlations: how the scales of a new target's kernels are chosen.

``python docs/int8_kernels.py build/MODEL/onnx build/MODEL/calibration`` prints the signal to noise of the maps with
only the correlations in INT8, over 48 calibration crops.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import onnx
from onnx import helper

from engines.correlations import correlations
from engines.onnxruntime.quantize import quantize
from engines.sensitivity.graphs_in_turn import Chain, noise, refitted
from engines.sensitivity.measure import convolution_macs
from engines.sensitivity.report import decibel
from siamtrt import ModelCard
from siamtrt.libraries.onnxruntime import open_session
from siamtrt.ranges import Ranges, TensorRange, file_name

_SAMPLES = 48

Kernels = Dict[str, Any]


def main(folder: Path, calibration: Path) -> None:
    """Print one line for each way."""
    card, chain = ModelCard.load(folder), Chain(folder, calibration, _SAMPLES)
    model, ranges = chain.models["xcorr"], Ranges.load(calibration / file_name("xcorr"), onnx=folder / "xcorr.onnx")
    keep = [name for name in convolution_macs(model) if name not in correlations(model, card.kernel_names)]
    built = quantize(model, ranges, keep=keep, kernels=card.kernel_names)
    first = chain.kernels[0]
    spans = _normalised_spans(chain, card.kernel_names)

    def normalised(kernels: Kernels) -> bytes:
        tensors = dict(ranges.tensors)
        for name, (low, high) in spans.items():
            size = float(np.linalg.norm(kernels[name]))
            tensors[_product(name)] = TensorRange(min(0.0, low * size), high * size, high * size, "minmax")
        again = quantize(model, Ranges("", tensors), keep=keep, kernels=card.kernel_names)
        return refitted(again, kernels)

    ways: Dict[str, Callable[[Kernels], bytes]] = {
        "scales of another target's kernels": lambda kernels: refitted(built, _rounded_by(kernels, first)),
        "scales of its own kernels": lambda kernels: refitted(built, kernels),
        "and outputs normalised by the kernels' L2 norm": normalised,
    }
    names = [output.name for output in card.graph("xcorr").outputs]
    for title, way in ways.items():
        maps = []
        for kernels, features in zip(chain.kernels, chain.inputs("xcorr")):
            session = open_session(way(kernels))
            maps.append(dict(zip(names, session.run(names, features))))
        print(f"{decibel(noise(chain.maps, maps)[0]):6.1f} dB  {title}")  # noqa: T201


def _product(kernel: str) -> str:
    return kernel.replace("kernel_", "correlation_")


def _rounded_by(kernels: Kernels, other: Kernels) -> Kernels:
    """The kernels in the codes of *other*'s scales, as a refit that leaves scales alone would store them."""
    rounded = {}
    for name, kernel in kernels.items():
        largest = np.abs(other[name]).reshape(len(kernel), -1).max(1).reshape(-1, *[1] * (kernel.ndim - 1))
        scale = np.maximum(largest, 1e-20) / 127
        rounded[name] = (np.clip(np.rint(kernel / scale), -127, 127) * scale).astype(np.float32)
    return rounded


def _normalised_spans(chain: Chain, names: Any) -> Dict[str, Any]:
    """Least and greatest product of each correlation over its kernel's norm, of every second sample."""
    probe = onnx.ModelProto()
    probe.CopyFrom(chain.models["xcorr"])
    products: List[str] = [_product(name) for name in names]
    probe.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in products)
    spans = dict.fromkeys(names, (0.0, 0.0))
    for kernels, features in list(zip(chain.kernels, chain.inputs("xcorr")))[::2]:
        found = open_session(refitted(probe, kernels)).run(products, features)
        for name, product in zip(names, found):
            size = np.linalg.norm(kernels[name])
            low, high = spans[name]
            spans[name] = min(low, float(product.min() / size)), max(high, float(product.max() / size))
    return spans


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
