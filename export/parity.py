"""Measure how far the ONNX graphs are from the torch network, each by itself and one after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx
from torch import Tensor

from export.graphs import TracedGraph
from siamtrt import Array, ParityError, Tensors
from siamtrt.card import TARGET, XCORR, SearchCard
from siamtrt.libraries.onnxruntime import open_session

TOLERANCE = 1e-4


def measure(
    graphs: dict[str, TracedGraph], models: dict[str, onnx.ModelProto], searches: Sequence[SearchCard]
) -> dict[str, float]:
    """Compare ONNX Runtime with torch on the examples that the graphs were traced with.

    Args:
        graphs: name -> traced graph.
        models: the same names -> exported graph.
        searches: which graphs run one after the other.

    Returns:
        Name -> largest absolute difference of any output, relative to that output's range; infinite where a value is
        not finite. ``chain`` is xcorr fed by the ONNX search graph instead of by torch's features; other searches, and
        the stages of one with exits, have the suffix of their xcorr graph there.

    Raises:
        ParityError: one of them is above the tolerance.
    """
    results = {name: _run(models[name], _arrays(graph.inputs)) for name, graph in graphs.items()}
    differences = {name: _distance(results[name], graph) for name, graph in graphs.items()}
    for search in searches:
        tensors = {**results[TARGET], **results[search.crop]}
        for name in search.graphs[1:]:
            tensors.update(_run(models[name], {key: tensors[key] for key in graphs[name].inputs}))
            if graphs[name].role == XCORR:
                differences[f"chain{name.removeprefix(XCORR)}"] = _distance(tensors, graphs[name])
    worst = max(differences, key=lambda name: differences[name])
    if differences[worst] > TOLERANCE:
        raise ParityError(
            f"ONNX Runtime differs from torch by {differences[worst]:.2e} of the output's range in {worst}, "
            f"allowed {TOLERANCE:.0e}",
            hint="export with the pinned torch and onnxruntime of requirements/workstation.txt",
        )
    return differences


def _run(model: onnx.ModelProto, feeds: Tensors) -> Tensors:
    session = open_session(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def _arrays(tensors: dict[str, Tensor]) -> Tensors:
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}


def _distance(got: Tensors, graph: TracedGraph) -> float:
    wanted = _arrays(graph.outputs)
    return max(
        _relative(got[name], values, 1.0 if name in graph.scores else float(np.ptp(values)))
        for name, values in wanted.items()
    )


def _relative(got: Array, wanted: Array, span: float) -> float:
    if not (np.isfinite(got).all() and np.isfinite(wanted).all()):
        return math.inf  # max() would skip a NaN
    return float(np.abs(got - wanted).max() / max(span, np.finfo(np.float32).tiny))
