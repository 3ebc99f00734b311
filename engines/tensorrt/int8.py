"""INT8 by builder flags: ranges through a calibrator, FP16 for what INT8 does not suit, layers pinned by name."""

from __future__ import annotations

import hashlib
import logging
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Callable, Iterator, Mapping

import onnx

from engines.graph import GraphJob, float_correlations
from engines.int8 import Int8, digest, sample_files
from engines.tensorrt.building import OUR_RANGES, Building, NoKernelError
from engines.tensorrt.calibrator import Calibration, calibrating
from engines.tensorrt.ranges import Batches, RangesRefusedError, ServedRanges
from engines.tensorrt.upload import Upload
from siamtrt import BuildError, UsageError
from siamtrt.files import sha256
from siamtrt.libraries import calibration_cache

_SHOWN_TENSORS = 5
_HINT = "a larger or smaller --workspace-mib, or --precision fp16"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Way:
    """How a build is tried.

    Attributes:
        by_tensor: give each tensor its range instead of serving all in a calibration cache.
        float32: pinned layers that FP16 has no kernel for.
    """

    by_tensor: bool = False
    float32: frozenset[str] = frozenset()


def int8_plan(
    start: Callable[[], Building], model: onnx.ModelProto, job: GraphJob, wanted: Int8, calibrator: str
) -> tuple[Building, bytes]:
    """Build a plan that computes in INT8.

    FP16 is allowed too, since layers without an INT8 kernel would fall back to FP32 otherwise. The layers of
    ``wanted.floats`` and, short of ``int8-all``, the correlations are pinned to FP16, or to FP32 where FP16 has no
    kernel. Ranges that are not taken from a calibration cache are given tensor by tensor.

    Args:
        start: makes the network of *model*, anew for each trial.
        model: the graph.
        job: the engine to build.
        wanted: what of it stays in floating point, and where its ranges come from.
        calibrator: one of :data:`engines.tensorrt.building.CALIBRATORS`.

    Returns:
        What the plan was built of, and the plan.

    Raises:
        UsageError: this GPU has no fast INT8.
        ArtifactError: samples or a calibration cache are damaged or of something else.
        BuildError: TensorRT refused, a range or a layer to pin has no place in the network, or TensorRT did not take
            all it was given.
        InferenceError: a sample cannot be copied to the GPU.
    """
    pinned = {*wanted.floats, *float_correlations(model, job.precision, job.refit)}
    way = _Way()
    while True:
        building = start()
        try:
            with _int8(building, model, job, wanted, calibrator, way, pinned):
                return building, building.serialized(job.out.name, hint=_HINT)
        except RangesRefusedError as refusal:
            if way.by_tensor:
                raise
            log.warning("%s: %s; building again with a range for each tensor", job.out.name, refusal.problem)
            way = replace(way, by_tensor=True)
        except NoKernelError as refusal:
            known = {node.name for node in model.graph.node}
            lacking = pinned.intersection(refusal.layers) - way.float32
            if not lacking:
                raise _with_way_out(refusal, job, [layer for layer in refusal.layers if layer in known]) from refusal
            log.warning("%s: FP16 has no kernel for %s; it computes in FP32", job.out.name, ", ".join(sorted(lacking)))
            way = replace(way, float32=way.float32 | lacking)


def _with_way_out(refusal: BuildError, job: GraphJob, layers: list[str]) -> BuildError:
    """The same refusal with the layer that is in the way, if it is one of the graph's."""
    if not layers:
        return refusal
    return BuildError(refusal.problem, hint=f"--float-layers {job.graph.name}:{layers[0]}, or {_HINT}")


@contextmanager
def _int8(
    building: Building,
    model: onnx.ModelProto,
    job: GraphJob,
    wanted: Int8,
    calibrator: str,
    way: _Way,
    pinned: set[str],
) -> Iterator[None]:
    """Let the build inside the block compute in INT8, see :func:`int8_plan`."""
    trt, config = building.trt, building.config
    if not building.builder.platform_has_fast_int8:
        raise UsageError("this GPU has no fast INT8", hint="--precision fp16")
    config.set_flag(trt.BuilderFlag.INT8)
    config.set_flag(trt.BuilderFlag.FP16)
    if pinned:
        config.set_flag(trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)
        _pin(building, {node.name: node.output[0] for node in model.graph.node if node.name in pinned}, way.float32)
    if way.by_tensor:
        _give_ranges(building, {name: span.amax for name, span in wanted.ranges.tensors.items()})
        yield
        return
    with _calibration(building, job, wanted, calibrator) as source, calibrating(trt, config, source):
        yield


def _pin(building: Building, layers: Mapping[str, str], float32: frozenset[str]) -> None:
    """Make layers compute in FP16, those of *float32* in FP32.

    Args:
        building: the network they are in.
        layers: name of the ONNX node -> name of its output. The parser names layers after nodes, and the last layer
            of a node gives the tensor called like the node's output.
        float32: names of nodes.

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
        kind = trt.DataType.FLOAT if float32.intersection(named) else trt.DataType.HALF
        layer.precision = kind
        for index, name in enumerate(produced):
            if name not in results:  # what the network puts out stays float32
                layer.set_output_type(index, kind)
        for node in named:
            missing.pop(node, None)
    if missing:
        raise BuildError(f"TensorRT's network has no layer for {', '.join(sorted(missing))}, to keep in FP16")


def _give_ranges(building: Building, amax: Mapping[str, float]) -> None:
    """Set the range of every tensor that has one: the documented way, which asks no calibrator.

    Raises:
        BuildError: an input of the network has no range.
    """
    for tensor in _require_known(building, amax):
        if tensor.name in amax:
            tensor.dynamic_range = (-amax[tensor.name], amax[tensor.name])


@contextmanager
def _calibration(building: Building, job: GraphJob, wanted: Int8, calibrator: str) -> Iterator[Calibration]:
    version = building.trt.__version__
    if calibrator == OUR_RANGES or wanted.samples is None:
        amax = {name: span.amax for name, span in wanted.ranges.tensors.items()}
        _require_known(building, amax)
        yield ServedRanges(calibration_cache.serialize(amax, version))
        return
    files = sample_files(wanted.samples)
    corrected_by = (wanted.correction_samples, wanted.floats, sorted(wanted.ranges.tensors.items()))
    parts = (sha256(job.source), version, digest(files), repr(corrected_by))
    key = hashlib.sha256("".join(parts).encode()).hexdigest()
    with Upload(job.graph.inputs[0].shape) as upload:
        samples = [partial(upload, file) for file in files]
        yield Batches(samples, job.out.with_name(f"{job.graph.name}-{key[:16]}.cache"), version)


def _require_known(building: Building, amax: Mapping[str, float]) -> list[Any]:
    """Prove that each input of the network has a range, and log the tensors that have none and so stay out of INT8.

    Returns:
        The tensors that are computed, inputs first.

    Raises:
        BuildError: an input of the network has no range.
    """
    trt, network = building.trt, building.network
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    missing = sorted({tensor.name for tensor in inputs} - set(amax))
    if missing:
        raise BuildError(f"the activation ranges leave out the inputs {', '.join(missing)}", hint="calibrate anew")
    computed = [layer for layer in building.layers if layer.type != trt.LayerType.CONSTANT]
    tensors = [layer.get_output(index) for layer in computed for index in range(layer.num_outputs)]
    left_out = [tensor.name for tensor in tensors if tensor.dtype == trt.DataType.FLOAT and tensor.name not in amax]
    if left_out:
        shown = ", ".join(left_out[:_SHOWN_TENSORS])
        log.warning("%d of %d tensors have no range and stay in FP16: %s", len(left_out), len(tensors), shown)
    return [*inputs, *tensors]
