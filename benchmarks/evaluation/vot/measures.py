"""Accuracy, robustness and expected average overlap of a tracker on a data set.

Source: PySOT's evaluation, to 1e-6 on published results (tests/benchmarks/test_published_measures.py). Two of its
habits are kept on purpose: accuracy counts pixels up to x = width, y = height, the expected average overlap up to
width - 1, height - 1; and robustness is failures per hundred frames, skipped frames included.
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
    """Of a tracker.

    Attributes:
        accuracy: mean overlap after burn-in, 0..1; None without such a frame.
        robustness: failures per 100 frames.
        failures: in all, mean over repetitions.
        eao: ``all`` and each attribute -> expected average overlap; None where runs are too short.
        eao_interval_95: by bootstrap over sequences.
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


def measure(results: Path, tracker: str, truths: Dict[str, Truth], protocol: Protocol) -> Measures:
    """Evaluate the results of *tracker*.

    Args:
        results: folder of ``TRACKER/baseline/SEQUENCE``.
        tracker: name of its folder.
        truths: the data set; every sequence needs a result.
        protocol: the numbers.

    Raises:
        ArtifactError: a result is missing, damaged, or of another length than its sequence.
    """
    runs: List[eao.Run] = []
    sequences: Dict[str, SequenceMeasures] = {}
    per_frame: List[Array] = []
    for name, truth in truths.items():
        trajectories = read_all(results, tracker, name)
        for trajectory in trajectories:
            _require_length(trajectory, truth, tracker)
        frames = _mean_ignoring_nan(np.array([_accuracy_overlaps(t, truth, protocol) for t in trajectories]))
        per_frame.append(frames)
        failures = float(np.mean([len(trajectory.failures) for trajectory in trajectories]))
        sequences[name] = SequenceMeasures(_mean(frames), failures)
        width, height = truth.size
        runs += [
            eao.Run(
                name,
                raster_overlap(trajectory.polygons, truth.polygons, (width - 1, height - 1)),
                trajectory.failures,
                truth.tags,
                truth.absent_tags,
                len(trajectories),
            )
            for trajectory in trajectories
        ]
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


def _mean(values: Array) -> Optional[float]:
    valid = values[~np.isnan(values)]
    return float(valid.mean()) if len(valid) else None


def _mean_ignoring_nan(values: Array) -> Array:
    """Along the first axis; NaN where all are."""
    counts = (~np.isnan(values)).sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean: Array = np.nansum(values, axis=0) / np.where(counts, counts, np.nan)
    return mean
