"""INT8 by builder flags: ranges through a calibrator, FP16 for what INT8 does not suit, layers pinned by name."""

from __future__ import annotations

import hashlib
import logging
from contextlib import contextmanager
from functools import partial
from typing import Iterator, Mapping

import onnx

from engines.graph import GraphJob, float_correlations
from engines.int8 import Int8, digest, sample_files
from engines.tensorrt.building import OUR_RANGES, Building
from engines.tensorrt.calibrator import Calibration, calibrating
from engines.tensorrt.ranges import Batches, ServedRanges
from engines.tensorrt.upload import Upload
from siamtrt import BuildError, UsageError
from siamtrt.files import sha256
from siamtrt.libraries import calibration_cache

_SHOWN_TENSORS = 5

log = logging.getLogger(__name__)


@contextmanager
def int8(building: Building, model: onnx.ModelProto, job: GraphJob, wanted: Int8, calibrator: str) -> Iterator[None]:
    """Let the build inside the block compute in INT8.

    FP16 is allowed too, since layers without an INT8 kernel would fall back to FP32 otherwise. The layers of
    ``wanted.floats`` and, short of ``int8-all``, the correlations are pinned to FP16.

    Args:
        building: the network of *model*; its layers are pinned, its config gets the flags and the calibrator.
        model: the exported graph.
        job: the engine to build.
        wanted: what of it stays in floating point, and where its ranges come from.
        calibrator: one of :data:`engines.tensorrt.building.CALIBRATORS`.

    Raises:
        UsageError: this GPU has no fast INT8.
        ArtifactError: samples or a calibration cache are damaged or of something else.
        BuildError: a range or a layer to pin has no place in the network, or TensorRT did not take all it was given.
        InferenceError: a sample cannot be copied to the GPU.
    """
    trt, config = building.trt, building.config
    if not building.builder.platform_has_fast_int8:
        raise UsageError("this GPU has no fast INT8", hint="--precision fp16")
    config.set_flag(trt.BuilderFlag.INT8)
    config.set_flag(trt.BuilderFlag.FP16)
    pinned = {*wanted.floats, *float_correlations(model, job.precision, job.refit)}
    if pinned:
        config.set_flag(trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)
        _pin(building, {node.name: node.output[0] for node in model.graph.node if node.name in pinned})
    with _calibration(building, job, wanted, calibrator) as source, calibrating(trt, config, source):
        yield


def _pin(building: Building, layers: Mapping[str, str]) -> None:
    """Make layers compute in FP16.

    Args:
        building: the network they are in.
        layers: name of the ONNX node -> name of its output. The parser names layers after nodes, and the last layer
            of a node gives the tensor called like the node's output.

    Raises:
        BuildError: there is no such layer.
    """
    trt, network = building.trt, building.network
    results = {network.get_output(index).name for index in range(network.num_outputs)}
    missing = dict(layers)
    for layer in building.layers:
        produced = [layer.get_output(index).name for index in range(layer.num_outputs)]
        named = [node for node, output in layers.items() if layer.name == node or output in produced]
        if not named:
            continue
        layer.precision = trt.DataType.HALF
        for index, name in enumerate(produced):
            if name not in results:  # what the network puts out stays float32
                layer.set_output_type(index, trt.DataType.HALF)
        for node in named:
            missing.pop(node, None)
    if missing:
        raise BuildError(f"TensorRT's network has no layer for {', '.join(sorted(missing))}, to keep in FP16")


@contextmanager
def _calibration(building: Building, job: GraphJob, wanted: Int8, calibrator: str) -> Iterator[Calibration]:
    version = building.trt.__version__
    if calibrator == OUR_RANGES or wanted.samples is None:
        amax = {name: span.amax for name, span in wanted.ranges.tensors.items()}
        _require_known(building, amax)
        yield ServedRanges(calibration_cache.serialize(amax, version))
        return
    files = sample_files(wanted.samples)
    parts = (sha256(job.source), version, digest(files), str(wanted.correction_samples))
    key = hashlib.sha256("".join(parts).encode()).hexdigest()
    with Upload(job.graph.inputs[0].shape) as upload:
        samples = [partial(upload, file) for file in files]
        yield Batches(samples, job.out.with_name(f"{job.graph.name}-{key[:16]}.cache"), version)


def _require_known(building: Building, amax: Mapping[str, float]) -> None:
    """Prove that each input of the network has a range, and log the tensors that have none and so stay out of INT8.

    Raises:
        BuildError: an input of the network has no range.
    """
    trt, network = building.trt, building.network
    inputs = [network.get_input(index).name for index in range(network.num_inputs)]
    missing = sorted(set(inputs) - set(amax))
    if missing:
        raise BuildError(f"the activation ranges leave out the inputs {', '.join(missing)}", hint="calibrate anew")
    computed = [layer for layer in building.layers if layer.type != trt.LayerType.CONSTANT]
    tensors = [layer.get_output(index) for layer in computed for index in range(layer.num_outputs)]
    left_out = [tensor.name for tensor in tensors if tensor.dtype == trt.DataType.FLOAT and tensor.name not in amax]
    if left_out:
        shown = ", ".join(left_out[:_SHOWN_TENSORS])
        log.warning("%d of %d tensors have no range and stay in FP16: %s", len(left_out), len(tensors), shown)
