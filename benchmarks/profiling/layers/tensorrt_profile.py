"""Layer times by TensorRT's own profiler, in a run of its own: profiling makes every layer wait for the one before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.profiling.layers.layer_report import Layer
from benchmarks.profiling.layers.tensorrt_layers import Run, layers
from runtime.tensorrt.device import Device
from siamtrt import EngineMismatchError, GraphCard, InferenceError, Manifest
from siamtrt.libraries import tensorrt as library

_WARM_UP = 5
_REBUILD = "build the engines anew on this machine"


def profile(path: Path, graph: GraphCard, runs: int, manifest: Manifest) -> list[Layer]:
    """Run one plan and take the median of each of its layers.

    Args:
        path: the plan.
        graph: its interface; inputs are filled with noise, since time does not depend on values here.
        runs: how many are counted, after a warm-up.
        manifest: of its folder; names the library that built it.

    Raises:
        MissingDependencyError: TensorRT or CUDA is not on this machine.
        EngineMismatchError: the plan is of another TensorRT or GPU.
        UsageError: it was built without details.
        InferenceError: it cannot be run.
    """
    trt = library.load(library.name_of(manifest.environment))
    logger = library.make_logger(trt)
    runtime = trt.Runtime(logger)
    core = library.dla_cores(manifest.settings.get("dla", ())).get(graph.name)
    engine = library.load_plan(runtime, path.read_bytes(), core)
    if engine is None:
        raise EngineMismatchError(f"TensorRT cannot load {path}: {library.problems(logger)}", hint=_REBUILD)
    device = Device(mapped=False)
    try:
        timed = _run(trt, engine, device, graph, runs)
    finally:
        device.close()
    return layers(library.layer_information(trt, engine), timed, graph.name)


def _run(trt: Any, engine: Any, device: Device, graph: GraphCard, runs: int) -> list[Run]:
    context = library.execution_context(trt, engine)
    if context is None:
        raise InferenceError(f"TensorRT cannot make a context for {graph.name}", hint="free memory of the GPU")
    rng = np.random.default_rng(0)
    for spec in graph.inputs:
        buffer = device.buffer(spec.shape, np.float32, mapped=False)
        buffer.host[...] = rng.random(spec.shape, np.float32)
        device.send(buffer)
        _bind(context, spec.name, buffer.address)
    for spec in graph.outputs:
        _bind(context, spec.name, device.allocate(spec.size_bytes))
    profiler = _profiler(trt)
    context.profiler = profiler
    for _ in range(_WARM_UP + runs):
        profiler.runs.append([])
        if not context.execute_async_v3(device.stream):
            raise InferenceError(f"TensorRT cannot run {graph.name}")
        device.synchronize()
    timed: list[Run] = profiler.runs[_WARM_UP:]
    return timed


def _bind(context: Any, name: str, address: int) -> None:
    if not context.set_tensor_address(name, address):
        raise EngineMismatchError(f"the plan has no tensor {name}", hint=_REBUILD)


def _profiler(trt: Any) -> Any:
    class Profiler(trt.IProfiler):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProfiler.__init__(self)  # without this TensorRT crashes
            self.runs: list[list[tuple[str, float]]] = []

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            self.runs[-1].append((layer_name, ms))

    return Profiler()
