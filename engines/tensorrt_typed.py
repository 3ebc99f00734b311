"""Plans by TensorRT-RTX 1.x, or by TensorRT 10 and later strongly typed: the ONNX graph carries the precision.

TensorRT-RTX builds for named GPUs on a machine that has none. A refittable plan needs a driver even there.
"""

from __future__ import annotations

import importlib.util
from typing import Any, Sequence

from engines.float16 import to_float16
from engines.job import GraphJob
from engines.onnx_runtime import read_graph
from engines.tensorrt_network import parse, serialize
from engines.tensorrt_options import TensorrtOptions
from siamtrt import MissingDependencyError, Precision, UsageError
from siamtrt import tensorrt as library

from siamtrt.files import write_bytes

SUFFIX = ".plan"
_OLDEST_STRONGLY_TYPED = (10, 0)
_MIB_BYTES = 1 << 20
_REFIT_HINT = (
    "a refittable plan needs an NVIDIA driver on the building machine; "
    "without one, export with --kernel-inputs, so that nothing has to be refitted"
)


def build_graph(job: GraphJob, options: TensorrtOptions, refit: Sequence[str]) -> None:
    """Write the plan of one graph.

    Args:
        job: the graph.
        options: of the build.
        refit: the weights that shall stay replaceable.

    Raises:
        MissingDependencyError: no library that takes typed graphs is installed.
        UsageError: INT8, whose activation ranges no stage provides yet, or a GPU the library does not know.
        ArtifactError: the graph is not ONNX.
        BuildError: the library refused the graph.
    """
    if job.precision in (Precision.INT8, Precision.INT8_ALL):
        raise UsageError(
            f"{job.graph} cannot be built in {job.precision.value} yet: "
            "there is no calibration to take activation ranges from",
            hint="--precision fp16",
        )
    trt = require_library()
    model = read_graph(job.source)
    if job.precision is Precision.FP16:
        model = to_float16(model)
    logger = library.make_logger(trt)
    builder = trt.Builder(logger)
    typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = parse(trt, builder, typed, model.SerializeToString(), logger, str(job.source))
    config = _config(trt, builder, options, refit=bool(refit))
    hint = _REFIT_HINT if refit else "--precision fp32"
    write_bytes(job.out, serialize(trt, builder, network, config, logger, job.out.name, hint=hint))


def require_library() -> Any:
    """Import TensorRT-RTX, or else TensorRT 10 or later.

    Raises:
        MissingDependencyError: neither is installed.
    """
    if importlib.util.find_spec("tensorrt") is None:
        return library.load("tensorrt_rtx")
    trt = library.load("tensorrt")
    if library.version(trt) < _OLDEST_STRONGLY_TYPED:
        raise MissingDependencyError(
            f"TensorRT {trt.__version__} is installed, --backend typed needs 10 or later", hint="--backend tensorrt"
        )
    return trt


def _config(trt: Any, builder: Any, options: TensorrtOptions, *, refit: bool) -> Any:
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib * _MIB_BYTES)
    config.clear_flag(trt.BuilderFlag.TF32)
    if refit:
        config.set_flag(trt.BuilderFlag.REFIT)
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
