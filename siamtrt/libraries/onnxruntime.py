"""ONNX Runtime sessions on the CPU, with its failures as ours. Import it by name: it needs onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Tuple, Type, Union

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as _state

from siamtrt.environment import cores
from siamtrt.errors import ArtifactError, BuildError

PROVIDER = "CPUExecutionProvider"

# ONNX Runtime's exceptions share no base class of their own.
LOAD_ERRORS: Tuple[Type[Exception], ...] = (
    _state.Fail,
    _state.InvalidArgument,
    _state.InvalidGraph,
    _state.InvalidProtobuf,
    _state.NoSuchFile,
    _state.NotImplemented,
    _state.RuntimeException,
)
RUN_ERRORS: Tuple[Type[Exception], ...] = (_state.Fail, _state.InvalidArgument, _state.RuntimeException)


def open_session(
    model: Union[bytes, Path],
    *,
    threads: Optional[int] = None,
    profile_prefix: Optional[Path] = None,
    optimized: bool = True,
) -> onnxruntime.InferenceSession:
    """Open a graph on the CPU.

    Args:
        model: serialized ONNX, or the path of a file.
        threads: of one operator; one a core when None. Idle ones sleep: those that spin take the cores from whatever
            runs beside, and from each other.
        profile_prefix: where ONNX Runtime writes its profile, if one is wanted.
        optimized: rewrite the graph for speed, and keep memory from run to run; without, each node computes as it
            stands in the file, and memory is given back.

    Raises:
        ArtifactError: the file or bytes are not a whole ONNX graph.
        BuildError: ONNX Runtime cannot run the graph, or chose another provider.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or cores()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if profile_prefix is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile_prefix)
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.enable_cpu_mem_arena = False
    name = str(model) if isinstance(model, Path) else "the graph"
    try:
        source = str(model) if isinstance(model, Path) else model
        session = onnxruntime.InferenceSession(source, options, providers=[PROVIDER])
    except (_state.InvalidProtobuf, _state.NoSuchFile) as error:
        raise ArtifactError(f"{name} is not a whole ONNX graph: {error}", hint="build it anew") from error
    except LOAD_ERRORS as error:
        raise BuildError(f"ONNX Runtime cannot run {name}: {error}", hint="build it anew") from error
    if session.get_providers() != [PROVIDER]:
        raise BuildError(f"ONNX Runtime chose {session.get_providers()} for {name}, asked for {PROVIDER}")
    return session
