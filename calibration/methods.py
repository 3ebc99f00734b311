"""Histograms to ranges: which method for which graph, and what it draws."""

from __future__ import annotations

import logging
from typing import Mapping

from calibration.histogram import Histogram
from siamtrt import GraphCard, InferenceError, UsageError
from siamtrt.card import ROLES
from siamtrt.ranges import Ranges, TensorRange

METHODS = ("minmax", "percentile", "entropy")
# Measured by hand, no command repeats it: maps of whole INT8 engines against FP32 on 160 samples of another seed,
# signal to noise of cls and loc in dB. NanoTrackV3: 25.8 and 25.1 (all min-max 22.3 and 18.7, all entropy the same);
# siamrpn_lite0: 30.8 and 25.3 (30.1 and 23.8; 27.6 and 22.1: in xcorr entropy clips the few large correlations that
# mark the target).
DEFAULT = "target=entropy,search=entropy,xcorr=minmax"
PERCENTILE_SHARE = 0.9999
DEAD_AMAX = 2.0**-7  # its scale, amax / 127, is about the least normal number of float16
_EXAMPLE = "--method entropy, or --method target=minmax,search=entropy,xcorr=percentile"

log = logging.getLogger(__name__)


def parse(text: str) -> dict[str, str]:
    """Read ``entropy`` or ``target=minmax,search=entropy,xcorr=percentile``: graph -> method.

    Raises:
        UsageError: an unknown graph or method, or a graph missing or named twice.
    """
    parts = [f"{graph}={text}" for graph in ROLES] if "=" not in text else text.split(",")
    chosen: dict[str, str] = {}
    for part in parts:
        graph, _, method = part.partition("=")
        if graph not in ROLES or graph in chosen:
            raise UsageError(f"{part!r} in {text!r}: name each of {', '.join(ROLES)} once", hint=_EXAMPLE)
        if method not in METHODS:
            raise UsageError(f"unknown method {method!r}", hint=f"one of {', '.join(METHODS)}")
        chosen[graph] = method
    if len(chosen) < len(ROLES):
        raise UsageError(f"{text!r} leaves a graph out", hint=_EXAMPLE)
    return chosen


def draw(histograms: Mapping[str, Histogram], method: str, graph: GraphCard, onnx_sha256: str) -> Ranges:
    """The range of every tensor of one graph.

    A tensor that was zero throughout, such as the output of a dead ReLU, gets the range 0..2**-7: it stays zero.

    Args:
        histograms: value name -> histogram.
        method: one of ``METHODS``.
        graph: the graph.
        onnx_sha256: digest of its file.

    Raises:
        InferenceError: an output of the graph was zero in every sample, so it is zero whatever it is shown.
    """
    dead = [name for name, histogram in histograms.items() if histogram.amax == 0.0]
    for output in graph.outputs:
        if output.name in dead:
            problem = f"{output.name}, an output of {graph.name}.onnx, is zero in every sample"
            raise InferenceError(problem, hint="check the model in FP32 on the same frames")
    if dead:
        log.warning(
            "%d tensors are zero in every sample and get a range of %g: %s", len(dead), DEAD_AMAX, ", ".join(dead)
        )
    log.info("%s: ranges of %d tensors by %s", graph.name, len(histograms), method)
    return Ranges(onnx_sha256, {name: _range(histogram, method) for name, histogram in histograms.items()})


def _range(histogram: Histogram, method: str) -> TensorRange:
    if histogram.amax == 0.0:
        return TensorRange(0.0, DEAD_AMAX, DEAD_AMAX, method)
    amax = _amax(histogram, method)
    return TensorRange(max(min(histogram.lowest, 0.0), -amax), min(max(histogram.highest, 0.0), amax), amax, method)


def _amax(histogram: Histogram, method: str) -> float:
    if method == "minmax":
        return histogram.minmax()
    return histogram.percentile(PERCENTILE_SHARE) if method == "percentile" else histogram.entropy()
