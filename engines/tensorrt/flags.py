"""Plans by TensorRT 8.5 to 10, which the Jetson AGX Xavier has: a float32 graph, the precision by builder flags."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, Optional

import onnx

from engines.job import GraphJob
from engines.onnxruntime.builder import read_graph
from engines.tensorrt.int8 import int8
from engines.tensorrt.network import parse, serialize
from engines.tensorrt.options import TensorrtOptions
from engines.tensorrt.proof import require_int8, require_refittable
from siamtrt import BuildError, MissingDependencyError, Precision, UsageError
from siamtrt.environment import describe
from siamtrt.files import write_bytes
from siamtrt.libraries import cuda
from siamtrt.libraries import tensorrt as library

SUFFIX = ".plan"
_OLDEST, _TOO_NEW = (8, 5), (11, 0)
_MIB_BYTES = 1 << 20


def build_graph(job: GraphJob, options: TensorrtOptions) -> None:
    """Write the plan of one graph, for this machine's GPU.

    Args:
        job: the graph.
        options: of the build.

    Raises:
        MissingDependencyError: TensorRT is not installed, or is too old or too new for this builder.
        UsageError: this GPU has no fast kernels of that precision, or INT8 has no ranges.
        ArtifactError: the graph is not ONNX; see :func:`engines.tensorrt.int8.int8` for what INT8 takes.
        BuildError: TensorRT refused the graph, the plan lacks a weight of ``job.refit``, or a detailed one has no INT8.
    """
    trt = require_library()
    model = read_graph(job.source)
    logger = library.make_logger(trt)
    builder = trt.Builder(logger)
    explicit_batch = 1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)
    network = parse(trt, builder, explicit_batch, model.SerializeToString(), logger, str(job.source))
    config = _config(trt, builder, options, refit=bool(job.refit))
    cache_path = _timing_cache_path(trt, options)
    _load_timing_cache(config, cache_path)
    hint = "a larger or smaller --workspace-mib, or --precision fp32"
    with _precision(trt, builder, network, config, model, job, options):
        plan = serialize(trt, builder, network, config, logger, job.out.name, hint=hint)
    if job.refit:
        require_refittable(trt, logger, plan, job.refit)
    if job.precision.is_int8 and options.detailed:
        require_int8(trt, logger, plan, job.out.name)
    write_bytes(job.out, plan)
    if cache_path:
        write_bytes(cache_path, bytes(config.get_timing_cache().serialize()))


def environment() -> Dict[str, str]:
    """What a plan built here is bound to: ``tensorrt`` and ``compute_capability``.

    Raises:
        MissingDependencyError: TensorRT or the CUDA runtime is not installed.
        InferenceError: there is no usable GPU.
    """
    return {"tensorrt": require_library().__version__, "compute_capability": cuda.compute_capability(cuda.load())}


def require_library() -> Any:
    """Import TensorRT.

    Raises:
        MissingDependencyError: it is absent, or this builder cannot serve its version.
    """
    trt = library.load("tensorrt")
    if not _OLDEST <= library.version(trt) < _TOO_NEW:
        raise MissingDependencyError(
            f"TensorRT {trt.__version__} is installed, --backend tensorrt needs 8.5 to 10",
            hint="--backend typed for TensorRT 11; JetPack 5.1 has 8.5.2, JetPack 4 is too old",
        )
    return trt


@contextmanager
def _precision(
    trt: Any, builder: Any, network: Any, config: Any, model: onnx.ModelProto, job: GraphJob, options: TensorrtOptions
) -> Iterator[None]:
    """Let the build inside the block compute in the precision of *job*."""
    if job.precision.is_int8:
        with int8(trt, builder, network, config, model, job, options):
            yield
        return
    if job.precision is Precision.FP16:
        if not builder.platform_has_fast_fp16:
            raise UsageError("this GPU has no fast FP16", hint="--precision fp32")
        config.set_flag(trt.BuilderFlag.FP16)
    yield


def _config(trt: Any, builder: Any, options: TensorrtOptions, *, refit: bool) -> Any:
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib * _MIB_BYTES)
    config.clear_flag(trt.BuilderFlag.TF32)  # FP32 means FP32 on every GPU
    if refit:
        config.set_flag(trt.BuilderFlag.REFIT)
    if options.detailed:
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    return config


def _timing_cache_path(trt: Any, options: TensorrtOptions) -> Optional[Path]:
    """A cache is valid for one library, one GPU and one power mode."""
    if options.timing_cache is None:
        return None
    machine = describe()
    parts = (
        trt.__version__,
        cuda.compute_capability(cuda.load()),
        machine["board"] or "gpu",
        machine["power_mode"] or "any",
    )
    return options.timing_cache / (re.sub(r"[^\w.-]+", "_", "-".join(parts)) + ".timing")


def _load_timing_cache(config: Any, path: Optional[Path]) -> None:
    """Start from the cache at *path*.

    Raises:
        BuildError: TensorRT refused it.
    """
    if path is None:
        return
    cache = config.create_timing_cache(path.read_bytes() if path.is_file() else b"")
    if not config.set_timing_cache(cache, ignore_mismatch=False):
        raise BuildError(f"TensorRT refused the timing cache {path}", hint=f"rm '{path}'")
