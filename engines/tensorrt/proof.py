"""What a plan has to prove once it is built: its kernels can be replaced, and INT8 was really chosen."""

from __future__ import annotations

import json
import logging
from typing import Any, Sequence

from engines.tensorrt.building import Building
from siamtrt import BuildError

log = logging.getLogger(__name__)


def require_refittable(building: Building, plan: bytes, names: Sequence[str]) -> None:
    """Prove that every weight of *names* can be replaced in *plan*.

    Raises:
        BuildError: one was folded away or renamed.
    """
    trt = building.trt
    refitter = trt.Refitter(building.loaded(plan), building.logger)
    missing = sorted(set(names) - set(refitter.get_all_weights()))
    if missing:
        raise BuildError(
            f"the plan has no replaceable weights called {', '.join(missing)}", hint="export the model anew"
        )


def require_int8(building: Building, plan: bytes, name: str) -> None:
    """Prove that layers of a detailed plan work on INT8, and log how many.

    A calibration cache from elsewhere may be ignored without an error, and the plan is then a slow FP16 one.

    Args:
        building: that made the plan.
        plan: built with detailed profiling verbosity.
        name: of the plan, for messages.

    Raises:
        BuildError: none does.
    """
    trt, engine = building.trt, building.loaded(plan)
    inspector = engine.create_engine_inspector()
    layers = json.loads(inspector.get_engine_information(trt.LayerInformationFormat.JSON))["Layers"]
    working = [entry for entry in layers if any("int8" in text.lower() for text in _formats(entry))]
    if not working:
        raise BuildError(f"no layer of {name} works on INT8", hint="--calibrator tensorrt, or --precision fp16")
    log.info("%d of %d layers of %s work on INT8", len(working), len(layers), name)


def _formats(entry: Any) -> list[str]:
    return [str(side.get("Format/Datatype")) for side in (*entry.get("Inputs", ()), *entry.get("Outputs", ()))]
