"""Accuracy, robustness and expected average overlap of a tracker on a data set.

Source: PySOT's evaluation, to 1e-6 on published results (tests/benchmarks/evaluation/vot/test_measures.py). Two
of its habits are kept on purpose: accuracy counts pixels up to x = width, y = height, the expected average overlap up
to width - 1, height - 1; and robustness is failures per hundred frames, skipped frames included.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import numpy as np

from benchmarks.evaluation.vot import eao
from benchmarks.evaluation.vot.annotations import Truth
from benchmarks.evaluation.vot.overlap import raster_overlap
from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.evaluation.vot.results import STARTED, Trajectory, read_all
from siamtrt import Array, ArtifactError


@dataclass(frozen=True)
class SequenceMeasures:
    """Mean overlap after burn-in (None without such a frame), and failures, mean over repetitions."""

    accuracy: Optional[float]
    failures: float


@dataclass(frozen=True)
class Measures:
    """The measures of a tracker.

    Attributes:
        accuracy: mean overlap after burn-in, 0..1; None without such a frame.
        robustness: failures per 100 frames.
        failures: on all sequences, mean over repetitions.
        eao: ``all`` and each attribute -> expected average overlap; None where runs are too short.
        eao_interval_95: by bootstrap over sequences; None where fewer than two have a run that is long enough.
        curve: expected overlap of a run of 1, 2, ... frames.
        sequences: name -> measures.
    """

    accuracy: Optional[float]
    robustness: float
    failures: float
    eao: Dict[str, Optional[float]]
    eao_interval_95: Optional[Tuple[float, float]]
    curve: List[float]
    sequences: Dict[str, SequenceMeasures]


def measure(tracker: str, results: Path, truths: dict[str, Truth], protocol: Protocol) -> Measures:
    """Evaluate the results of *tracker*.

    Args:
        tracker: name of its folder.
        results: folder of ``TRACKER/baseline/SEQUENCE``.
        truths: the data set; every sequence needs a result.
        protocol: the numbers.

    Raises:
        ArtifactError: a result is missing, damaged, or of another length than its sequence.
    """
    runs: list[eao.Run] = []
    per_frame: list[Array] = []
    sequences = {}
    for name, truth in truths.items():
        trajectories = read_all(results, tracker, name)
        for trajectory in trajectories:
            _require_length(trajectory, truth, tracker)
        per_frame.append(_mean_ignoring_nan(np.array([_accuracy_overlaps(t, truth, protocol) for t in trajectories])))
        failures = float(np.mean([len(trajectory.failures) for trajectory in trajectories]))
        sequences[name] = SequenceMeasures(_mean(per_frame[-1]), failures)
        runs += [_eao_run(trajectory, truth, len(trajectories)) for trajectory in trajectories]
    fragments = eao.split(runs, protocol.skip_frames)
    total = sum(sequence.failures for sequence in sequences.values())
    expected = eao.curve(fragments, fragments.weights[eao.ALL])
    return Measures(
        accuracy=_mean(np.concatenate(per_frame)),
        robustness=100 * total / sum(len(truth) for truth in truths.values()),
        failures=total,
        eao={
            tag: eao.average(eao.curve(fragments, weights), protocol.eao_low, protocol.eao_high)
            for tag, weights in fragments.weights.items()
        },
        eao_interval_95=eao.interval(fragments, protocol.eao_low, protocol.eao_high),
        curve=[float(value) for value in np.nan_to_num(expected)],
        sequences=sequences,
    )


def table(measures: dict[str, Measures]) -> str:
    """A table for the terminal, best expected average overlap first, and below it that of each attribute."""
    lines = [f"{'tracker':28} {'EAO':>6} {'95 % interval':>15} {'accuracy':>9} {'failures':>9} {'robustness':>11}"]
    ordered = sorted(measures.items(), key=lambda item: -(item[1].eao["all"] or 0))
    for name, entry in ordered:
        interval = "-" if entry.eao_interval_95 is None else "{:.3f}-{:.3f}".format(*entry.eao_interval_95)
        lines.append(
            f"{name:28} {_figure(entry.eao['all'])} {interval:>15} {_figure(entry.accuracy):>9} "
            f"{round(entry.failures, 1):9g} {entry.robustness:11.3f}"
        )
    return "\n".join([*lines, *_attributes(dict(ordered)), *_without_interval(measures)])


def _attributes(measures: dict[str, Measures]) -> list[str]:
    """A line a tracker: the EAO of each attribute that a frame carries."""
    rows = [entry.eao for entry in measures.values()]
    tags = [
        tag for tag in (rows[0] if rows else ()) if tag != eao.ALL and any(row.get(tag) is not None for row in rows)
    ]
    if not tags:
        return []
    lines = [f"{'EAO by attribute':28} {' '.join(f'{tag:>14}' for tag in tags)}"]
    return lines + [
        f"{name:28} {' '.join(f'{_figure(entry.eao.get(tag)):>14}' for tag in tags)}"
        for name, entry in measures.items()
    ]


def _without_interval(measures: dict[str, Measures]) -> list[str]:
    """Why a tracker has no interval."""
    few = [name for name, entry in measures.items() if entry.eao["all"] is not None and entry.eao_interval_95 is None]
    short = [name for name, entry in measures.items() if entry.eao["all"] is None]
    lines = [f"no interval, only one sequence has runs that are long enough: {', '.join(few)}"] if few else []
    return lines + ([f"no EAO, runs are too short: {', '.join(short)}"] if short else [])


def _eao_run(trajectory: Trajectory, truth: Truth, repetitions: int) -> eao.Run:
    bounds = (truth.size[0] - 1, truth.size[1] - 1)
    overlaps = raster_overlap(trajectory.polygons, truth.polygons, bounds)
    return eao.Run(truth.name, overlaps, trajectory.failures, truth.tags, truth.absent_tags, repetitions)


def _accuracy_overlaps(trajectory: Trajectory, truth: Truth, protocol: Protocol) -> Array:
    """Overlaps that count for accuracy, NaN elsewhere."""
    overlaps = raster_overlap(trajectory.polygons, truth.polygons, truth.size)
    for start in np.flatnonzero(trajectory.codes == STARTED):
        overlaps[start : start + protocol.burn_in_frames] = np.nan
    return overlaps


def _require_length(trajectory: Trajectory, truth: Truth, tracker: str) -> None:
    if len(trajectory) != len(truth):
        raise ArtifactError(
            f"{tracker} has {len(trajectory)} lines for {truth.name}, which has {len(truth)} frames",
            hint="are these the results of another data set, or of an unfinished run?",
        )


def _mean(values: Array) -> float | None:
    valid = values[~np.isnan(values)]
    return float(valid.mean()) if len(valid) else None


def _mean_ignoring_nan(values: Array) -> Array:
    """The mean along the first axis; NaN where all are."""
    counts = (~np.isnan(values)).sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean: Array = np.nansum(values, axis=0) / np.where(counts, counts, np.nan)
    return mean


def _figure(value: float | None) -> str:
    return "     -" if value is None else f"{value:6.3f}"
