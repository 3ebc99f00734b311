"""Engines for ONNX Runtime: an ONNX file whose nodes carry the precision."""

from __future__ import annotations

from pathlib import Path
from typing import List, Sequence

import onnx
from google.protobuf.message import DecodeError

from engines.correlations import correlations
from engines.float16 import to_float16
from engines.int8_inputs import load_ranges
from engines.job import GraphJob
from engines.onnxruntime.bias_correction import correct_biases
from engines.onnxruntime.integer_plan import integer_nodes, last_convolutions
from engines.onnxruntime.quantize import quantize
from engines.samples import has_samples, spread_samples
from siamtrt import ArtifactError, Precision, UsageError
from siamtrt.files import write_bytes
from siamtrt.libraries.onnxruntime import open_session

SUFFIX = ".onnx"


def build_graph(job: GraphJob) -> None:
    """Write the ONNX Runtime engine of one graph.

    Raises:
        UsageError: INT8 without ranges, INT8 correlations in a graph that takes its kernels as inputs, or a layer to
            keep that INT8 leaves alone anyway.
        ArtifactError: ``job.source`` is not an ONNX graph, or the ranges are not of it.
        BuildError: the graph cannot be converted, or ONNX Runtime cannot run the result.
    """
    model = read_graph(job.source)
    if job.precision is Precision.FP16:
        model = to_float16(model)
    elif job.precision.is_int8:
        model = _to_int8(model, job)
    data = model.SerializeToString()
    open_session(data)  # a refusal belongs here, not on the first frame
    write_bytes(job.out, data)


def float_layers(model: onnx.ModelProto, graph: str, precision: Precision, refit: Sequence[str]) -> List[str]:
    """The convolutions that an INT8 engine computes in float without being told to.

    The last ones before the maps of the tracker, since an integer kernel of ONNX Runtime can only yield bytes, and a
    byte is too coarse for a box: they are 0.1 to 0.4 % of the work and half of the loss. Short of ``int8-all`` the
    correlations too.
    """
    if not graph.startswith("xcorr"):
        return []
    return [*last_convolutions(model.graph), *(correlations(model, refit) if precision is Precision.INT8 else ())]


def _to_int8(model: onnx.ModelProto, job: GraphJob) -> onnx.ModelProto:
    """What stays out of the integers stays float32: this backend computes float16 in float32 anyway.

    Biases are corrected where the calibration left crops to do it with; xcorr has none, and would gain next to nothing.
    """
    if job.precision is Precision.INT8_ALL and correlations(model) and not job.refit:
        raise UsageError(
            f"{job.graph} takes its kernels as inputs, which ONNX Runtime does not correlate in INT8",
            hint="--precision int8, or export without --kernel-inputs",
        )
    floats = float_layers(model, job.graph, job.precision, job.refit)
    _require_integers(model, job, floats)
    keep = [*floats, *job.keep]
    ranges = load_ranges(job)
    if job.ranges is not None and job.correction_samples and has_samples(job.graph):
        (crop,) = model.graph.input
        shape = tuple(side.dim_value for side in crop.type.tensor_type.shape.dim)
        samples = spread_samples(job.ranges, job.graph, shape, job.correction_samples)
        model = correct_biases(model, ranges, [{crop.name: sample} for sample in samples], keep=keep)
    return quantize(model, ranges, keep=keep, kernels=job.refit)


def _require_integers(model: onnx.ModelProto, job: GraphJob, floats: Sequence[str]) -> None:
    """Prove that each layer to keep would be in integers otherwise, or is named as in float already.

    Raises:
        UsageError: one is not, for instance an activation, which has no form of its own.
    """
    integers = {integer.node.name for integer in integer_nodes(model.graph, floats)}
    useless = [layer for layer in job.keep if layer not in integers and layer not in floats]
    if useless:
        raise UsageError(
            f"{job.graph} computes {', '.join(useless)} in no integers, so keeping it has no effect",
            hint="name the convolution, sum or pooling before it",
        )


def read_graph(path: Path) -> onnx.ModelProto:
    """Read an ONNX file.

    Raises:
        ArtifactError: it is absent, truncated or not ONNX.
    """
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except (OSError, DecodeError, onnx.checker.ValidationError) as error:
        raise ArtifactError(f"{path} is not a whole ONNX graph: {error}", hint="export the model anew") from error
    return model
