"""Plans by TensorRT 8.5 to 10, which the Jetson AGX Xavier has: a float32 graph, the precision by builder flags."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from engines.batch import batched
from engines.graph import GraphJob, read_graph, score_nodes
from engines.tensorrt.biases import with_corrected_biases
from engines.tensorrt.building import FLOAT32, OUR_RANGES, Building, TensorrtOptions
from engines.tensorrt.int8 import int8_plan
from siamtrt import MissingDependencyError, ModelCard, Precision, UsageError
from siamtrt.environment import describe
from siamtrt.files import write_bytes
from siamtrt.libraries import cuda
from siamtrt.libraries import tensorrt as library

SUFFIX = ".plan"
OWN_PROCESS = True
OPTIONS: tuple[str, ...] = ("workspace_mib", "timing_cache", "calibrator", "features", "dla")
_OLDEST, _TOO_NEW = (8, 5), (11, 0)

log = logging.getLogger(__name__)


def build_graph(job: GraphJob, options: TensorrtOptions) -> None:
    """Write the plan of one graph, for this machine's GPU.

    Args:
        job: the graph.
        options: settings of the build.

    Raises:
        MissingDependencyError: TensorRT is not installed, or is too old or too new for this builder.
        UsageError: this GPU has no fast kernels of that precision, or FP32 is to put out features in FP16.
        ArtifactError: the graph is not ONNX; see :func:`engines.tensorrt.int8.int8_plan` for what INT8 takes.
        BuildError: TensorRT refused the graph, the plan lacks a weight of ``job.refit``, or an INT8 one has no INT8.
    """
    trt = require_library()
    model = read_graph(job.source)
    if job.int8:
        model = with_corrected_biases(model, job, job.int8)
    model = batched(model, job.kernels, job.targets)
    cache_path = _timing_cache_path(trt, options)

    core = options.dla_core(job.graph.name)
    if core is not None:
        _require_for_dla(job)
    if job.targets > 1 and options.calibrator != OUR_RANGES:
        raise UsageError("TensorRT's own calibrator takes one crop at a time", hint="--calibrator ranges")
    if job.features and options.features != FLOAT32 and job.precision is Precision.FP32:
        raise UsageError(
            f"{job.graph.name} in fp32 has no features in {options.features}", hint="leave --features out, or fp16"
        )

    def start() -> Building:
        kind = trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH
        building = Building.of(trt, kind, model, job.source, options)
        if job.refit:
            building.config.set_flag(trt.BuilderFlag.REFIT)
        if job.scores and job.precision is not Precision.FP32:
            building.keep_float32(score_nodes(model.graph, job.scores))
        building.lay_out(job.features, options.features)
        if core is not None:
            building.send_to_dla(core, job.graph.name)
        _load_timing_cache(building.config, cache_path)
        return building

    if job.int8:
        building, plan = int8_plan(start, model, job, job.int8, options.calibrator)
    else:
        building = start()
        _allow(building, job.precision)
        plan = building.serialized(job.out.name, hint="a larger or smaller --workspace-mib, or --precision fp32")
    if job.refit:
        building.require_refittable(plan, job.refit)
    if job.int8:
        building.require_int8(plan, job.out.name, core)
    write_bytes(job.out, plan)
    if cache_path:
        write_bytes(cache_path, bytes(building.config.get_timing_cache().serialize()))


def environment() -> dict[str, str]:
    """What a plan built here is bound to: ``tensorrt`` and ``compute_capability``.

    Raises:
        MissingDependencyError: TensorRT or the CUDA runtime is not installed.
        InferenceError: there is no usable GPU.
    """
    return {"tensorrt": require_library().__version__, "compute_capability": cuda.compute_capability(cuda.load())}


def references(card: ModelCard) -> list[str]:
    """The graphs that the runtime proves each refit against: those with kernels as weights."""
    return [f"{graph.name}.onnx" for graph in card.graphs if card.refitted(graph.name)]


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


def _require_for_dla(job: GraphJob) -> None:
    """Prove that a deep learning accelerator may have a graph.

    Raises:
        UsageError: it computes in FP16 and INT8 alone, and no source says that its weights can be replaced.
    """
    if job.precision is Precision.FP32:
        raise UsageError(f"a DLA computes no FP32, which {job.graph.name} is built in", hint="fp16 or int8")
    if job.refit:
        raise UsageError(
            f"{job.graph.name} is refitted for each target, which a DLA may not take",
            hint="--dla search=0, or export with --kernel-inputs",
        )


def _allow(building: Building, precision: Precision) -> None:
    """Let a build compute in FP16 where that is the precision.

    Raises:
        UsageError: this GPU has no fast FP16.
    """
    if precision is Precision.FP16:
        if not building.builder.platform_has_fast_fp16:
            raise UsageError("this GPU has no fast FP16", hint="--precision fp32")
        building.config.set_flag(building.trt.BuilderFlag.FP16)


def _timing_cache_path(trt: Any, options: TensorrtOptions) -> Path | None:
    """Where the cache for this library, GPU and power mode lies: it is valid for no other."""
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


def _load_timing_cache(config: Any, path: Path | None) -> None:
    """Start from the cache at *path*, or from an empty one where TensorRT refuses it: it only saves time."""
    if path is None:
        return
    known = path.read_bytes() if path.is_file() else b""
    if not config.set_timing_cache(config.create_timing_cache(known), ignore_mismatch=False):
        log.warning("TensorRT refused the timing cache %s; the build takes as long as a first one", path)
        config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)
