"""What a plan has to prove once it is built: its kernels can be replaced, and INT8 was really chosen."""

from __future__ import annotations

import json
import logging
from typing import Any, List, Sequence

from siamtrt import BuildError
from siamtrt.libraries import tensorrt as library

log = logging.getLogger(__name__)


def load(trt: Any, logger: Any, plan: bytes) -> Any:
    """Open a plan that was built a moment ago.

    Raises:
        BuildError: TensorRT refuses it.
    """
    engine = trt.Runtime(logger).deserialize_cuda_engine(plan)
    if engine is None:
        raise BuildError(f"TensorRT cannot load the plan it just built: {library.problems(logger)}")
    return engine


def require_refittable(trt: Any, logger: Any, plan: bytes, names: Sequence[str]) -> None:
    """Prove that every weight of *names* can be replaced in *plan*.

    Raises:
        BuildError: one was folded away or renamed.
    """
    found = set(trt.Refitter(load(trt, logger, plan), logger).get_all_weights())
    missing = sorted(set(names) - found)
    if missing:
        raise BuildError(
            f"the plan has no replaceable weights called {', '.join(missing)}", hint="export the model anew"
        )


def require_int8(trt: Any, logger: Any, plan: bytes, name: str) -> None:
    """Tell how many layers of a detailed plan work on INT8.

    A calibration cache from elsewhere may be ignored without an error, and the plan is then a slow FP16 one.

    Args:
        trt: the library.
        logger: its logger.
        plan: built with detailed profiling verbosity.
        name: of the plan, for messages.

    Raises:
        BuildError: none does.
    """
    inspector = load(trt, logger, plan).create_engine_inspector()
    layers = json.loads(inspector.get_engine_information(trt.LayerInformationFormat.JSON))["Layers"]
    working = [entry for entry in layers if any("int8" in text.lower() for text in _formats(entry))]
    if not working:
        raise BuildError(f"no layer of {name} works on INT8", hint="--calibrator tensorrt, or --precision fp16")
    log.info("%d of %d layers of %s work on INT8", len(working), len(layers), name)


def _formats(entry: Any) -> List[str]:
    return [str(side.get("Format/Datatype")) for side in (*entry.get("Inputs", ()), *entry.get("Outputs", ()))]
