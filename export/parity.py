"""How far the ONNX graphs are from the torch network, graph by graph and in a chain."""

from __future__ import annotations

import math

import numpy as np
import onnx
from torch import Tensor

from export.graphs import LOST_SUFFIX, TracedGraph
from siamtrt import Array, ParityError, Tensors
from siamtrt.card import SEARCH, TARGET, XCORR
from siamtrt.libraries.onnxruntime import open_session

TOLERANCE = 1e-4


def measure(graphs: dict[str, TracedGraph], models: dict[str, onnx.ModelProto]) -> dict[str, float]:
    """Compare ONNX Runtime with torch on the examples that the graphs were traced with.

    Args:
        graphs: name -> traced graph.
        models: the same names -> exported graph.

    Returns:
        Name -> largest absolute difference of any output, relative to that output's range; infinite where a value is
        not finite. ``chain`` is the xcorr graph fed by the ONNX search graph instead of by torch's features;
        ``chain_lost`` likewise.

    Raises:
        ParityError: one of them is above the tolerance.
    """
    found, results = {}, {}
    for name, graph in graphs.items():
        results[name] = _run(models[name], _arrays(graph.inputs))
        found[name] = _distance(results[name], graph.outputs)
    for suffix in ("", LOST_SUFFIX):
        if f"{SEARCH}{suffix}" in graphs:
            xcorr = graphs[f"{XCORR}{suffix}"]
            fed = {**_arrays(xcorr.inputs), **results[f"{SEARCH}{suffix}"], **_kernel_feeds(xcorr, results[TARGET])}
            found[f"chain{suffix}"] = _distance(_run(models[xcorr.name], fed), xcorr.outputs)
    worst = max(found, key=lambda name: found[name])
    if found[worst] > TOLERANCE:
        raise ParityError(
            f"ONNX Runtime differs from torch by {found[worst]:.2e} of the output's range in {worst}, "
            f"allowed {TOLERANCE:.0e}",
            hint="export with the pinned torch and onnxruntime of requirements/workstation.txt",
        )
    return found


def _run(model: onnx.ModelProto, feeds: Tensors) -> Tensors:
    session = open_session(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def _kernel_feeds(xcorr: TracedGraph, kernels: Tensors) -> Tensors:
    return {name: kernel for name, kernel in kernels.items() if name in xcorr.inputs}


def _arrays(tensors: dict[str, Tensor]) -> Tensors:
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}


def _distance(got: Tensors, wanted: dict[str, Tensor]) -> float:
    return max(_relative(got[name], tensor.detach().numpy()) for name, tensor in wanted.items())


def _relative(got: Array, wanted: Array) -> float:
    if not (np.isfinite(got).all() and np.isfinite(wanted).all()):
        return math.inf  # a NaN would win no comparison and so pass unseen
    return float(np.abs(got - wanted).max() / max(float(np.ptp(wanted)), np.finfo(np.float32).tiny))
