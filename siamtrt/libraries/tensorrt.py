"""The TensorRT library: whether it is here, which one it is, and what it logs.

Nothing here imports it before it is asked for, since most machines do not have it.
"""

from __future__ import annotations

import importlib
import logging
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from siamtrt.errors import MissingDependencyError, UsageError

log = logging.getLogger(__name__)

_INSTALL = {
    "tensorrt": "on JetPack 5: sudo apt install python3-libnvinfer; then run it with the system's python3",
    "tensorrt_rtx": "pip install tensorrt-rtx-cu12==1.7.1.116",
}


def load(name: str) -> Any:
    """Import ``tensorrt`` or ``tensorrt_rtx``.

    Raises:
        MissingDependencyError: the Python binding is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            f"the Python package {name} cannot be imported: {error}", hint=_INSTALL[name]
        ) from error


def name_of(environment: Mapping[str, Any]) -> str:
    """The package that built the plans of an engine folder, by the environment of its manifest."""
    return next((name for name in _INSTALL if name in environment), "tensorrt")


def version(trt: Any) -> Tuple[int, int]:
    """Major and minor version of the library."""
    major, minor = trt.__version__.split(".")[:2]
    return int(major), int(minor)


def dla_cores(words: Sequence[str]) -> Dict[str, int]:
    """Graph -> core of a deep learning accelerator, of ``GRAPH=CORE`` words.

    Raises:
        UsageError: one is something else, or two are of one graph.
    """
    cores: Dict[str, int] = {}
    for word in words:
        graph, _, core = word.partition("=")
        if not core.isdecimal() or graph in cores:
            raise UsageError(f"--dla {word} names no graph and core, or a graph twice", hint="--dla search=0")
        cores[graph] = int(core)
    return cores


def load_plan(runtime: Any, plan: bytes, core: Optional[int] = None) -> Any:
    """The engine of *plan*, for a *core* of a deep learning accelerator where it was built for one; None if refused."""
    if core is not None:
        runtime.DLA_core = core
    return runtime.deserialize_cuda_engine(plan)


def make_logger(trt: Any) -> Any:
    """An ``ILogger`` that forwards to :mod:`logging`, and keeps what went wrong: TensorRT survives some of it.

    TensorRT's own logger prints to standard output, which carries results here. ``problems`` of the returned object
    is the list of error messages so far.
    """
    severities = trt.ILogger.Severity
    levels = {
        severities.INTERNAL_ERROR: logging.ERROR,
        severities.ERROR: logging.ERROR,
        severities.WARNING: logging.WARNING,
        severities.INFO: logging.DEBUG,
        severities.VERBOSE: logging.DEBUG,
    }

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.problems: List[str] = []

        def log(self, severity: Any, message: str) -> None:
            level = levels[severity]
            if level == logging.ERROR:
                self.problems.append(message)
            log.log(level, "TensorRT: %s", message)

    return Logger()


def problems(logger: Any) -> str:
    """What a logger of :func:`make_logger` kept, as the end of a sentence."""
    return "; ".join(logger.problems) or "TensorRT gave no reason"


def execution_context(trt: Any, engine: Any) -> Any:
    """A context that runs *engine* as fast as one whose plan keeps no details of its layers; None where it has no room.

    Plans keep those details for the inspector, which goes on telling them; at run time they would name every layer for
    profilers, which costs time. Source: NvInferRuntime.h of 8.5, ``IExecutionContext::setNvtxVerbosity``.
    """
    context = engine.create_execution_context()
    if context is not None:
        context.nvtx_verbosity = trt.ProfilingVerbosity.NONE
    return context


def layer_information(trt: Any, engine: Any) -> str:
    """What the inspector tells of the layers of *engine*, JSON; see :mod:`siamtrt.libraries.inspector`.

    The caller holds the engine until this returns: the inspector of 8.5 does not.
    """
    inspector = engine.create_engine_inspector()
    return str(inspector.get_engine_information(trt.LayerInformationFormat.JSON))
