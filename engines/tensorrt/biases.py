"""Biases corrected for symmetric INT8, the form that TensorRT computes.

The measurement runs ONNX Runtime on the symmetric quantize/dequantize form, so it needs no GPU. What it finds is kept
beside the calibration: a workstation can measure it (``python -m engines.tensorrt``), and a board then takes it.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Collection, Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from engines.graph import GraphJob, float_correlations
from engines.int8 import Int8, correct_biases, correction_feeds, digest, sample_files
from engines.tensorrt.quantize import quantize_symmetric
from siamtrt import Array, ArtifactError, Tensors
from siamtrt.files import sha256, write_bytes
from siamtrt.libraries.onnxruntime import open_session

_LEAST_POWER = 1e-12
_LEAST_GAIN = 0.5  # a gain of 1 dB at the outputs of NanoTrackV3's graphs came with a loss of 2 dB in its maps

log = logging.getLogger(__name__)


def with_corrected_biases(model: onnx.ModelProto, job: GraphJob, int8: Int8) -> onnx.ModelProto:
    """*model* with biases that take back what symmetric rounding does to the means of its channels, where that helps.

    Unless the noise at the outputs of the graph is halved, its biases stay. Measured once for a graph, its ranges and
    its crops, then read from ``int8.corrections``.

    Args:
        model: the float32 graph of *job*; not changed.
        job: the engine to build.
        int8: its ranges, crops, and what of it stays in floating point.

    Returns:
        A copy, or *model* itself where that is not reached, or where there are no crops to measure on: the
        correlations have none.

    Raises:
        ArtifactError: a sample or the kept biases cannot be read, or the ranges lack a tensor.
    """
    if int8.crops is None:
        return model
    kept = _place(job, int8)
    if kept is not None and kept.is_file():
        return _with_biases(model, _read(kept), kept)
    log.info("%s: correcting biases on %d crops, up to a minute", job.graph.name, int8.correction_samples)
    floats = {*int8.floats, *float_correlations(model, job.precision, job.refit)}
    feeds = correction_feeds(int8, job.graph.inputs)
    corrected = correct_biases(
        model,
        feeds,
        lambda changed: symmetric_form(changed, int8, floats),
        {node.output[0]: node.output[0] for node in model.graph.node if _is_rounded(node, floats)},
    )
    exact = _outputs(model, feeds)
    plain_noise, noise = (
        _noise(exact, _outputs(symmetric_form(form, int8, floats), feeds)) for form in (model, corrected)
    )
    log.info(
        "%s: corrected biases change the noise of INT8 by %+.1f dB", job.graph.name, 10 * np.log10(noise / plain_noise)
    )
    if noise > _LEAST_GAIN * plain_noise:
        corrected = model
    if kept is not None:
        _write(kept, model, corrected)
        log.info("kept the corrected biases of %s in %s", job.graph.name, kept)
    return corrected


def symmetric_form(model: onnx.ModelProto, int8: Int8, floats: Collection[str]) -> onnx.ModelProto:
    """A copy of *model* in symmetric INT8 but for the nodes *floats*, see :func:`quantize_symmetric`."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return quantize_symmetric(copy, int8.ranges, floats)


def _outputs(model: onnx.ModelProto, feeds: Sequence[Tensors]) -> list[list[Array]]:
    session = open_session(model.SerializeToString())
    return [session.run(None, feed) for feed in feeds]


def _noise(exact: Sequence[Sequence[Array]], rounded: Sequence[Sequence[Array]]) -> float:
    """Power of the error over the power of the signal, of the output that suffers most."""
    wanted, got = ([np.stack(values) for values in zip(*runs)] for runs in (exact, rounded))
    return max(
        float(np.square(other - one).sum() / max(float(np.square(one).sum()), _LEAST_POWER)) + _LEAST_POWER
        for one, other in zip(wanted, got)
    )


def _is_rounded(node: onnx.NodeProto, floats: Collection[str]) -> bool:
    return node.op_type == "Conv" and node.name not in floats


def _place(job: GraphJob, int8: Int8) -> Path | None:
    """Where the biases lie; the name changes with all that they depend on."""
    if int8.corrections is None or int8.crops is None:
        return None
    settings = json.dumps([asdict(int8.ranges), int8.floats, int8.correction_samples], sort_keys=True)
    parts = (sha256(job.source), settings, digest(sample_files(int8.crops)), *map(sha256, int8.earlier))
    key = hashlib.sha256("".join(parts).encode()).hexdigest()
    return int8.corrections / f"{job.graph.name}-{key[:16]}.npz"


def _write(path: Path, before: onnx.ModelProto, after: onnx.ModelProto) -> None:
    pairs = zip(before.graph.initializer, after.graph.initializer)
    moved: dict[str, Any] = {new.name: numpy_helper.to_array(new) for old, new in pairs if old != new}
    data = io.BytesIO()
    np.savez(data, **moved)
    write_bytes(path, data.getvalue())


def _read(path: Path) -> dict[str, Array]:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"cannot read the corrected biases {path}: {error}", hint=f"rm '{path}'") from error


def _with_biases(model: onnx.ModelProto, biases: dict[str, Array], path: Path) -> onnx.ModelProto:
    corrected = onnx.ModelProto()
    corrected.CopyFrom(model)
    weights = {weight.name: weight for weight in corrected.graph.initializer}
    for name, bias in biases.items():
        if name not in weights or tuple(weights[name].dims) != bias.shape or bias.dtype != np.float32:
            raise ArtifactError(f"{path} holds no bias of this graph called {name}", hint=f"rm '{path}'")
        weights[name].CopyFrom(numpy_helper.from_array(bias, name))
    return corrected
