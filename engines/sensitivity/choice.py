"""From a ranking to the layers that stay out of INT8: the first few, or all until little noise remains."""

from __future__ import annotations

import logging
from itertools import accumulate
from math import inf
from pathlib import Path
from typing import Sequence, Tuple

from engines.sensitivity.ranking import Sensitivity, Step, decibel
from siamtrt import ArtifactError, GraphPrecisions, ModelCard, UsageError
from siamtrt.files import sha256

_COMMAND = "python -m engines.sensitivity"

Way = Sequence[Tuple[Step, float]]

log = logging.getLogger(__name__)


def way_out(path: Path, folder: Path, precisions: GraphPrecisions) -> Way:
    """The steps out of INT8 that the ranking at *path* describes for the INT8 graphs of a model.

    Args:
        path: written by ``python -m engines.sensitivity``.
        folder: the ONNX folder to build from; the ranking must be of it.
        precisions: what its graphs shall compute in.

    Returns:
        See :meth:`engines.sensitivity.ranking.Sensitivity.way_out`.

    Raises:
        ArtifactError: *path* is no ranking, or one of another model.
    """
    ranking = Sensitivity.load(path)
    graphs = [graph for graph in ModelCard.load(folder).graphs if precisions.of(graph).is_int8]
    ranked = [graph.name for graph in graphs if graph.name in ranking.onnx]
    for graph in ranked:
        if ranking.onnx[graph] != sha256(folder / f"{graph}.onnx"):
            raise ArtifactError(f"{path} ranks the layers of another {graph} graph", hint=_COMMAND)
    return ranking.way_out(ranked)


def first(way: Way, count: int) -> list[str]:
    """``GRAPH:LAYER`` of the layers that *way* takes out of INT8 before there are more than *count*.

    Raises:
        UsageError: *way* ends before, or its first step takes more.
    """
    totals = list(accumulate(len(step.layers) for step, _ in way))
    if totals[-1] < count:
        raise UsageError(
            f"the ranking tries {totals[-1]} layers out of INT8, not {count}",
            hint=f"--float-layers {totals[-1]}, or {_COMMAND} with more --steps",
        )
    steps = sum(total <= count for total in totals)
    if count and steps == 1:
        raise UsageError(f"no {count} layers are worth keeping alone", hint=f"--float-layers {totals[1]}")
    return _taken(way[:steps])


def until(way: Way, most_noise: float) -> list[str]:
    """``GRAPH:LAYER`` of the layers that *way* takes out of INT8 until no more noise than *most_noise* remains.

    Args:
        way: the steps of :func:`way_out`.
        most_noise: a share of the power of the maps.

    Raises:
        UsageError: it is no share, or *way* ends before it is reached.
    """
    if not 0 <= most_noise < inf:
        raise UsageError(f"a noise of {most_noise:g} is no share of the maps' power", hint="--max-noise 0.01")
    for index, (_, noise) in enumerate(way):
        if noise <= most_noise:
            if index == 0:
                log.info("0 layers stay in floating point: the noise of INT8 is %.2g as it is", noise)
            return _taken(way[: index + 1])
    raise UsageError(
        f"the noise of INT8 falls to {way[-1][1]:.2g} at best, not to {most_noise:g}", hint="--precision fp16"
    )


def _taken(way: Way) -> list[str]:
    """The layers of *way*; each step is logged with what it gains."""
    for (_, before), (step, after) in zip(way, way[1:]):
        names = " and ".join(step.layers)
        log.info(
            "%s: %s stays in floating point, signal to noise %s -> %s dB", step.graph, names, _db(before), _db(after)
        )
    return [f"{step.graph}:{layer}" for step, _ in way for layer in step.layers]


def _db(noise: float) -> str:
    ratio = decibel(noise)
    return "infinite" if ratio is None else f"{ratio:.1f}"
