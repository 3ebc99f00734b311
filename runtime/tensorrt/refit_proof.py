"""Proof that a refit took effect: TensorRT's response against ONNX Runtime's to the same features and kernels.

A stale or swapped kernel tracks on in silence, with a box that is merely worse; so every refit is proved. The features
are those of the frame that the target was given in: noise lies outside the ranges an INT8 plan was calibrated for.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from runtime.onnxruntime.engine import SUFFIX, Engine
from siamtrt import ModelCard, ParityError, Precision, Tensors

# Largest difference over the range of a map; docs/decisions/0003 has what was measured.
TOLERANCES = {Precision.FP32: 0.02, Precision.FP16: 0.02, Precision.INT8: 0.15, Precision.INT8_ALL: 0.15}


class RefitProof:
    """Compares one xcorr plan with its reference.

    Args:
        engines: folder with the plan and, beside it, the ONNX graph it was built from.
        card: of the model.
        graph: name of the xcorr graph.
        precision: of the plan.
    """

    def __init__(self, engines: Path, card: ModelCard, graph: str, precision: Precision) -> None:
        self._graph, self._tolerance, self._scores = graph, TOLERANCES[precision], card.scores_of(graph)
        path = engines / f"{graph}{SUFFIX}"
        self._reference = Engine(path, card.graph(graph), card.refitted(graph), threads=1)

    def require_equal(self, kernels: Tensors, tensors: Tensors) -> None:
        """Compare the maps that a refitted plan made of features with the reference.

        Args:
            kernels: what the plan was refitted with, by name.
            tensors: the features, and the maps that the plan made of them, by name.

        Raises:
            ParityError: they differ by more than the tolerance, or are no numbers.
        """
        self._reference.refit(kernels)
        for name, expected in self._reference.run(tensors).items():
            span = 1.0 if name in self._scores else max(float(np.ptp(expected)), 1e-12)
            difference = float(np.abs(tensors[name] - expected).max() / span)
            if not difference <= self._tolerance:
                raise ParityError(
                    f"after the refit {self._graph}.{name} is {difference:.3f} of its range off the reference",
                    hint="build xcorr in fp32, or export with --kernel-inputs, which needs no refit",
                )
