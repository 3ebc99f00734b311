"""Engines for ONNX Runtime: an ONNX file whose nodes carry the precision."""

from __future__ import annotations

import logging
from functools import partial
from typing import Sequence

import onnx

from engines.batch import batched
from engines.float16 import to_float16
from engines.graph import (
    GraphJob,
    IntegerNode,
    correlations,
    float_layers,
    integer_nodes,
    read_graph,
    score_nodes,
    without,
)
from engines.int8 import Int8, correct_biases, correction_feeds
from engines.onnxruntime.quantize import quantize, raw_output
from siamtrt import ModelCard, Precision, Tensors, UsageError
from siamtrt.files import write_bytes
from siamtrt.libraries.onnxruntime import open_session
from siamtrt.ranges import Ranges

SUFFIX = ".onnx"
OWN_PROCESS = False
OPTIONS: tuple[str, ...] = ()

log = logging.getLogger(__name__)


def build_graph(job: GraphJob, _options: object = None) -> None:
    """Write the ONNX Runtime engine of one graph.

    Raises:
        UsageError: INT8 correlations in a graph that takes its kernels as inputs, or a layer to leave in floating point
            that INT8 leaves alone anyway.
        ArtifactError: ``job.source`` is not an ONNX graph, or the ranges lack a tensor.
        BuildError: the graph cannot be converted, or ONNX Runtime cannot run the result.
    """
    model = read_graph(job.source)
    if job.int8 is not None:
        model = _int8_form(model, job, job.int8)
    elif job.precision is Precision.FP16:
        model = to_float16(model, float32_nodes=score_nodes(model.graph, job.scores))
    data = batched(model, job.kernels, job.targets).SerializeToString()
    open_session(data)  # a refusal belongs here, not on the first frame
    write_bytes(job.out, data)


def environment() -> dict[str, str]:
    """An ONNX file is bound to no machine."""
    return {}


def references(_card: ModelCard) -> list[str]:
    """No refit has to be proved: the runtime writes kernels into the graph itself."""
    return []


def to_int8(
    model: onnx.ModelProto,
    plan: Sequence[IntegerNode],
    ranges: Ranges,
    samples: Sequence[Tensors] = (),
    kernels: Sequence[str] = (),
) -> onnx.ModelProto:
    """Quantise *model*, its biases corrected on *samples* if there are some; see :func:`quantize`."""
    if samples:
        raw = {integer.node.output[0]: raw_output(integer) for integer in plan if integer.node.op_type == "Conv"}
        model = correct_biases(model, samples, partial(quantize, plan=plan, ranges=ranges), raw)
    return quantize(model, plan, ranges, kernels=kernels)


def _int8_form(model: onnx.ModelProto, job: GraphJob, int8: Int8) -> onnx.ModelProto:
    """What stays out of the integers stays float32: this backend computes float16 in float32 anyway.

    Biases are corrected where the calibration left crops to do it with; xcorr has none, and would gain next to nothing.
    """
    if job.precision is Precision.INT8_ALL and correlations(model) and not job.refit:
        raise UsageError(
            f"{job.graph.name} takes its kernels as inputs, which ONNX Runtime does not correlate in INT8",
            hint="--precision int8, or export without --kernel-inputs",
        )
    floats = float_layers(model, job.graph.role, job.precision, job.refit, job.scores)
    plan = without(integer_nodes(model.graph), floats)
    _require_integers([layer for layer in int8.floats if layer not in floats], plan, job.graph.name)
    samples = correction_feeds(int8, job.graph.inputs)
    if samples:
        log.info("%s: correcting biases on %d crops, up to a minute", job.graph.name, len(samples))
    return to_int8(model, without(plan, int8.floats), int8.ranges, samples, job.refit)


def _require_integers(layers: Sequence[str], plan: Sequence[IntegerNode], graph: str) -> None:
    """Prove that each layer to leave in floating point would be in integers otherwise.

    Raises:
        UsageError: one is not, for instance an activation, which has no form of its own.
    """
    integers = {integer.node.name for integer in plan}
    useless = [layer for layer in layers if layer not in integers]
    if useless:
        raise UsageError(
            f"{graph} computes {', '.join(useless)} in no integers, so keeping it has no effect",
            hint="name the convolution, sum or pooling before it",
        )
