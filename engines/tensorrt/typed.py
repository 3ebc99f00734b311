"""Plans by TensorRT-RTX 1.x, or by TensorRT 10 and later strongly typed: the ONNX graph carries the precision.

TensorRT-RTX builds for named GPUs on a machine that has none. A refittable plan needs a driver even there.

An INT8 plan of RTX 1.7 holds its weights in 8 bits and is the largest file all the same: beside them lies the source of
a rounding kernel for each tensor, as text (search of siamrpn_lite0: 8.9 MB for 0.9 MB of weights; zlib leaves 1.5 MB,
of FP16's 2.3 MB 1.8).
"""

from __future__ import annotations

from typing import Any, Sequence

import onnx

from engines.batch import batched
from engines.float16 import TENSORRT_FLOAT32_OPERATORS, to_float16
from engines.graph import GraphJob, float_correlations, read_graph, score_nodes
from engines.tensorrt.biases import with_corrected_biases
from engines.tensorrt.building import Building, TensorrtOptions
from engines.tensorrt.quantize import quantize_symmetric
from siamtrt import MissingDependencyError, ModelCard, Precision, UsageError
from siamtrt.files import write_bytes
from siamtrt.libraries import tensorrt as library

SUFFIX = ".plan"
OWN_PROCESS = False
OPTIONS: tuple[str, ...] = ("workspace_mib", "compute_capabilities")
_OLDEST_STRONGLY_TYPED = (10, 0)


def build_graph(job: GraphJob, options: TensorrtOptions) -> None:
    """Write the plan of one graph.

    Args:
        job: the graph.
        options: settings of the build.

    Raises:
        MissingDependencyError: no library that takes typed graphs is installed.
        UsageError: an unknown GPU.
        ArtifactError: the graph is not ONNX, or the ranges lack a tensor.
        BuildError: the library refused the graph.
    """
    trt = require_library()
    kind = trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED
    building = Building.of(trt, kind, batched(typed_graph(job), job.kernels, job.targets), job.source, options)
    if options.compute_capabilities:
        _set_targets(trt, building.config, options.compute_capabilities)
    write_bytes(job.out, building.serialized(job.out.name, hint="--precision fp32"))


def typed_graph(job: GraphJob) -> onnx.ModelProto:
    """The graph of *job* with its precision written into it; what INT8 leaves out computes in float16.

    Raises:
        ArtifactError: the graph is not ONNX, or the ranges lack a tensor.
        BuildError: it cannot be converted to float16.
    """
    model = read_graph(job.source)
    if job.precision is Precision.FP32:
        return model
    if job.int8:
        floats = {*job.int8.floats, *float_correlations(model, job.precision, job.refit)}
        model = quantize_symmetric(with_corrected_biases(model, job, job.int8), job.int8.ranges, floats)
    return to_float16(model, TENSORRT_FLOAT32_OPERATORS, score_nodes(model.graph, job.scores))


def environment() -> dict[str, str]:
    """What a plan built here is bound to: the library and its version.

    Raises:
        MissingDependencyError: no library that takes typed graphs is installed.
    """
    trt = require_library()
    return {trt.__name__: trt.__version__}


def references(card: ModelCard) -> list[str]:
    """Nothing is refitted.

    Raises:
        UsageError: kernels are weights, so it would have to be.
    """
    if not card.kernel_inputs:
        raise UsageError(
            f"{card.name} would have to be refitted, and a refittable plan of this kind needs an NVIDIA driver",
            hint="export with --kernel-inputs, then nothing has to be refitted",
        )
    return []


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
