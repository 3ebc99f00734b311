"""INT8 by builder flags: ranges through a calibrator, FP16 for what INT8 does not suit, layers pinned by name."""

from __future__ import annotations

import hashlib
import logging
from contextlib import contextmanager
from functools import partial
from typing import Any, Dict, Iterator, List

import onnx

from engines.correlations import correlations
from engines.int8_inputs import load_ranges
from engines.job import GraphJob
from engines.samples import digest, has_samples, sample_files
from engines.tensorrt.calibrator import Calibration, calibrating
from engines.tensorrt.options import OUR_RANGES, TensorrtOptions
from engines.tensorrt.ranges import Batches, ServedRanges
from engines.tensorrt.upload import Upload
from siamtrt import BuildError, Precision, UsageError
from siamtrt.files import sha256
from siamtrt.libraries import calibration_cache

_SHOWN_TENSORS = 5

log = logging.getLogger(__name__)


@contextmanager
def int8(
    trt: Any, builder: Any, network: Any, config: Any, model: onnx.ModelProto, job: GraphJob, options: TensorrtOptions
) -> Iterator[None]:
    """Let the build inside the block compute in INT8.

    FP16 is allowed too, since layers without an INT8 kernel would fall back to FP32 otherwise. The layers of
    ``job.keep`` and, short of ``int8-all``, the correlations are pinned to FP16.

    Args:
        trt: the library.
        builder: its builder.
        network: parsed from *model*; its layers are pinned.
        config: gets the flags and the calibrator.
        model: the exported graph.
        job: with ranges.
        options: of the build.

    Raises:
        UsageError: this GPU has no fast INT8, or ``job`` has no ranges.
        ArtifactError: ranges, samples or a calibration cache are damaged or of something else.
        BuildError: a range or a layer to pin has no place in the network, or TensorRT did not take all it was given.
        InferenceError: a sample cannot be copied to the GPU.
    """
    if not builder.platform_has_fast_int8:
        raise UsageError("this GPU has no fast INT8", hint="--precision fp16")
    config.set_flag(trt.BuilderFlag.INT8)
    config.set_flag(trt.BuilderFlag.FP16)
    pinned = {*job.keep, *(correlations(model, job.refit) if job.precision is Precision.INT8 else ())}
    if pinned:
        config.set_flag(trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)
        _pin(trt, network, {node.name: node.output[0] for node in model.graph.node if node.name in pinned})
    with _calibration(trt, network, model, job, options) as source, calibrating(trt, config, source):
        yield


def _pin(trt: Any, network: Any, layers: Dict[str, str]) -> None:
    """Make layers compute in FP16.

    Args:
        trt: the library.
        network: its network.
        layers: name of the ONNX node -> name of its output. The parser names layers after nodes, and the last layer
            of a node gives the tensor called like the node's output.

    Raises:
        BuildError: there is no such layer.
    """
    results = {network.get_output(index).name for index in range(network.num_outputs)}
    missing = dict(layers)
    for layer in _layers(network):
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
def _calibration(
    trt: Any, network: Any, model: onnx.ModelProto, job: GraphJob, options: TensorrtOptions
) -> Iterator[Calibration]:
    if job.ranges is None or options.calibrator == OUR_RANGES or not has_samples(job.graph):
        amax = {name: span.amax for name, span in load_ranges(job).tensors.items()}
        _require_known(trt, network, amax)
        yield ServedRanges(calibration_cache.serialize(amax, trt.__version__))
        return
    files = sample_files(job.ranges, job.graph)
    key = hashlib.sha256("".join((sha256(job.source), trt.__version__, digest(files))).encode()).hexdigest()
    shape = tuple(dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim)
    with Upload(shape) as upload:
        samples = [partial(upload, file) for file in files]
        yield Batches(samples, job.out.with_name(f"{job.graph}-{key[:16]}.cache"), trt.__version__)


def _require_known(trt: Any, network: Any, amax: Dict[str, float]) -> None:
    """Prove that ranges and network speak of the same tensors, and tell of those that will not be in INT8.

    Raises:
        BuildError: an input of the network has no range.
    """
    inputs = [network.get_input(index).name for index in range(network.num_inputs)]
    missing = sorted(set(inputs) - set(amax))
    if missing:
        raise BuildError(f"the activation ranges leave out the inputs {', '.join(missing)}", hint="calibrate anew")
    computed = [layer for layer in _layers(network) if layer.type != trt.LayerType.CONSTANT]
    tensors = [layer.get_output(index) for layer in computed for index in range(layer.num_outputs)]
    left_out = [tensor.name for tensor in tensors if tensor.dtype == trt.DataType.FLOAT and tensor.name not in amax]
    if left_out:
        shown = ", ".join(left_out[:_SHOWN_TENSORS])
        log.warning("%d of %d tensors have no range and stay in FP16: %s", len(left_out), len(tensors), shown)


def _layers(network: Any) -> List[Any]:
    return [network.get_layer(index) for index in range(network.num_layers)]
