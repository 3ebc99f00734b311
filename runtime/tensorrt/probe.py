"""Proof that a refit took effect: TensorRT's response to known features against ONNX Runtime's.

A stale or swapped kernel tracks on in silence, with a box that is merely worse; so every refit is proved.
"""

from __future__ import annotations

from pathlib import Path
from typing import Tuple

import numpy as np

from runtime.onnx_matcher import Xcorr
from siamtrt import Array, ModelCard, ParityError, Tensors

# Of the range of a map. FP16 stays near 0.002; the kernels of another target differ by far more.
TOLERANCE = 0.02


def probe_features(shape: Tuple[int, ...], seed: int) -> Array:
    """Features as an active ReLU leaves them: float32, 0..1, mostly small."""
    return np.random.default_rng(seed).random(shape, dtype=np.float32) ** 4


class Probe:
    """The reference of one xcorr plan.

    Args:
        engines: folder with the plan and, beside it, the ONNX graph it was built from.
        card: of the model.
        graph: name of the xcorr graph.
    """

    def __init__(self, engines: Path, card: ModelCard, graph: str) -> None:
        self._graph = graph
        self._reference = Xcorr(engines, card, graph, threads=1)

    def require_equal(self, kernels: Tensors, features: Tensors, maps: Tensors) -> None:
        """Compare the maps that a refitted plan made of *features* with the reference.

        Raises:
            ParityError: they differ by more than ``TOLERANCE`` of the range, or are no numbers.
        """
        self._reference.refit(kernels)
        for name, expected in self._reference.run(features).items():
            difference = float(np.abs(maps[name] - expected).max() / max(float(np.ptp(expected)), 1e-12))
            if not difference <= TOLERANCE:
                raise ParityError(
                    f"after the refit {self._graph}.{name} is {difference:.3f} of its range off the reference",
                    hint="build xcorr in fp32, or export with --kernel-inputs, which needs no refit",
                )
