"""From a ranking to the layers that stay out of INT8."""

from __future__ import annotations

import logging
from math import inf
from pathlib import Path
from typing import List, Optional, Sequence

from engines.sensitivity.report import Sensitivity, decibel
from siamtrt import ArtifactError, UsageError
from siamtrt.files import sha256

log = logging.getLogger(__name__)


def layers_to_keep(
    path: Path, folder: Path, graphs: Sequence[str], *, count: Optional[int] = None, most_noise: Optional[float] = None
) -> List[str]:
    """Follow the way out of INT8 that *path* describes, and log each step with what it gains.

    Args:
        path: written by ``python -m engines.sensitivity``.
        folder: the ONNX folder to build from; the ranking must be of it.
        graphs: those to be built in INT8.
        count: stop before more layers than these are out.
        most_noise: stop as soon as the noise that is left, a share of the power of the maps, is not above it.

    Returns:
        ``GRAPH:LAYER`` of each.

    Raises:
        ArtifactError: *path* is no ranking, or one of another model.
        UsageError: the way ends before *count* layers or *most_noise* is reached.
    """
    if most_noise is not None and not 0 <= most_noise < inf:
        raise UsageError(f"a drift of {most_noise:g} is no share of the maps' power", hint="--max-drift 0.01")
    found = Sensitivity.load(path)
    ranked = [graph for graph in graphs if graph in found.onnx]
    for graph in ranked:
        if found.onnx[graph] != sha256(folder / f"{graph}.onnx"):
            raise ArtifactError(f"{path} ranks the layers of another {graph} graph", hint=_COMMAND)
    way = found.way_out(ranked)
    kept: List[str] = []
    left = way[0][1]
    for step, then_left in way[1:]:
        if count is not None and len(kept) + len(step.layers) > count:
            break
        if most_noise is not None and left <= most_noise:
            break
        kept += [f"{step.graph}:{layer}" for layer in step.layers]
        names = " and ".join(step.layers)
        log.info(
            "%s: %s stays in floating point, signal to noise %s -> %s dB", step.graph, names, _db(left), _db(then_left)
        )
        left = then_left
    else:
        if count is not None and len(kept) < count:
            raise UsageError(
                f"{path} tries {len(kept)} layers out of INT8, not {count}",
                hint=f"--keep {len(kept)}, or {_COMMAND} with more --steps",
            )
    if most_noise is not None and left > most_noise:
        raise UsageError(
            f"the noise of INT8 falls to {left:.2g} at best, not to {most_noise:g}", hint="--precision fp16"
        )
    if count is not None and not kept and count:
        raise UsageError(f"no {count} layers are worth keeping alone", hint=f"--keep {len(way[1][0].layers)}")
    return kept


def _db(noise: float) -> str:
    found = decibel(noise)
    return "infinite" if found is None else f"{found:.1f}"


_COMMAND = "python -m engines.sensitivity"
