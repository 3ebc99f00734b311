"""Plans by TensorRT-RTX 1.x, or by TensorRT 10 and later strongly typed: the ONNX graph carries the precision.

TensorRT-RTX builds for named GPUs on a machine that has none. A refittable plan needs a driver even there.
"""

from __future__ import annotations

from typing import Any, Dict, Sequence

import onnx

from engines.correlations import correlations
from engines.float16 import TENSORRT_FLOAT32_OPERATORS, to_float16
from engines.int8_inputs import load_ranges
from engines.job import GraphJob
from engines.onnxruntime.builder import read_graph
from engines.tensorrt.network import parse, serialize
from engines.tensorrt.options import TensorrtOptions
from engines.tensorrt.quantize import quantize_symmetric
from siamtrt import MissingDependencyError, ModelCard, Precision, UsageError
from siamtrt.files import write_bytes
from siamtrt.libraries import tensorrt as library

SUFFIX = ".plan"
_OLDEST_STRONGLY_TYPED = (10, 0)
_MIB_BYTES = 1 << 20


def build_graph(job: GraphJob, options: TensorrtOptions) -> None:
    """Write the plan of one graph.

    Args:
        job: the graph.
        options: of the build.

    Raises:
        MissingDependencyError: no library that takes typed graphs is installed.
        UsageError: INT8 without ranges, or an unknown GPU.
        ArtifactError: the graph is not ONNX, or the ranges are not its own.
        BuildError: the library refused the graph.
    """
    trt = require_library()
    model = typed_graph(job)
    logger = library.make_logger(trt)
    builder = trt.Builder(logger)
    typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = parse(trt, builder, typed, model.SerializeToString(), logger, str(job.source))
    config = _config(trt, builder, options)
    plan = serialize(trt, builder, network, config, logger, job.out.name, hint="--precision fp32")
    write_bytes(job.out, plan)


def require_nothing_to_refit(card: ModelCard) -> None:
    """Refuse a model whose kernels are weights; asked before anything is built.

    Raises:
        UsageError: they are.
    """
    if not card.kernel_inputs:
        raise UsageError(
            f"{card.name} would have to be refitted, and a refittable plan of this kind needs an NVIDIA driver",
            hint="export with --kernel-inputs, then nothing has to be refitted",
        )


def typed_graph(job: GraphJob) -> onnx.ModelProto:
    """The graph of *job* with its precision written into it; what INT8 leaves out computes in float16.

    Raises:
        UsageError: INT8 without ranges.
        ArtifactError: the graph is not ONNX, or the ranges are not its own.
        BuildError: it cannot be converted to float16.
    """
    model = read_graph(job.source)
    if job.precision is Precision.FP32:
        return model
    if job.precision is not Precision.FP16:
        ranges = load_ranges(job)
        kept = {*job.keep, *(correlations(model) if job.precision is Precision.INT8 else ())}
        model = quantize_symmetric(model, ranges, kept)
    return to_float16(model, TENSORRT_FLOAT32_OPERATORS)


def environment() -> Dict[str, str]:
    """What a plan built here is bound to: the library and its version.

    Raises:
        MissingDependencyError: no library that takes typed graphs is installed.
    """
    trt = require_library()
    return {trt.__name__: trt.__version__}


def require_library() -> Any:
    """Import TensorRT 10 or later, or else TensorRT-RTX.

    Raises:
        MissingDependencyError: neither is installed.
    """
    try:
        trt = library.load("tensorrt")
    except MissingDependencyError:
        return library.load("tensorrt_rtx")
    if library.version(trt) < _OLDEST_STRONGLY_TYPED:
        raise MissingDependencyError(
            f"TensorRT {trt.__version__} is installed, --backend typed needs 10 or later", hint="--backend tensorrt"
        )
    return trt


def _config(trt: Any, builder: Any, options: TensorrtOptions) -> Any:
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib * _MIB_BYTES)
    config.clear_flag(trt.BuilderFlag.TF32)
    if options.detailed:
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if options.compute_capabilities:
        _set_targets(trt, config, options.compute_capabilities)
    return config


def _set_targets(trt: Any, config: Any, capabilities: Sequence[str]) -> None:
    """Name the GPUs a plan shall run on.

    Raises:
        UsageError: the library has no such targets, or does not know one of them.
    """
    if trt.__name__ != "tensorrt_rtx":
        raise UsageError("only TensorRT-RTX builds for named GPUs", hint="leave out --compute-capability")
    config.num_compute_capabilities = len(capabilities)
    for index, capability in enumerate(capabilities):
        name = f"SM{capability.replace('.', '')}"
        target = trt.ComputeCapability.__members__.get(name)
        if target is None or not config.set_compute_capability(target, index):
            known = ", ".join(sorted(trt.ComputeCapability.__members__))
            raise UsageError(
                f"TensorRT-RTX {trt.__version__} does not build for compute capability {capability}",
                hint=f"it knows {known}; a Jetson is served by --backend tensorrt on the board",
            )
