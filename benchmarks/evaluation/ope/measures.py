"""Success and precision of a run without resets.

Source: OTB's benchmark as PySOT evaluates it. Two of its habits are kept, for these are the figures that are published:
the first frame counts, though its box was given; and a frame without a truth counts as missed for success and, where
its centre is no place in the image, as hit for precision. What is left without such frames stands beside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from siamtrt import Array

OVERLAP_THRESHOLDS = np.arange(0, 1.05, 0.05)  # not linspace: its rounding decides about overlaps of 0.15 and 0.35
DISTANCE_THRESHOLDS_PX = np.arange(51)
_NEAR_PX = 20


@dataclass(frozen=True)
class SequenceMeasures:
    """Area under the success curve and precision at 20 px of one sequence, both 0..1, and how many frames count.

    Attributes:
        success_auc: mean share of frames whose overlap is above each of 21 thresholds.
        precision_20_px: share of frames whose centre is at most 20 px off.
        annotated_success_auc: the same of the annotated frames alone.
        annotated_precision_20_px: the same of the annotated frames alone.
        frames: of the sequence.
        annotated_frames: those with a truth.
    """

    success_auc: float
    precision_20_px: float
    annotated_success_auc: float
    annotated_precision_20_px: float
    frames: int
    annotated_frames: int


@dataclass(frozen=True)
class Measures:
    """The measures of a tracker: means over sequences of those of :class:`SequenceMeasures`, and the curves.

    Attributes:
        success_auc: mean over sequences.
        precision_20_px: mean over sequences.
        annotated_success_auc: mean over sequences.
        annotated_precision_20_px: mean over sequences.
        success: at each of 21 thresholds of the overlap, 0, 0.05, ... 1.
        precision: at each of 51 distances, 0, 1, ... 50 px.
        sequences: name -> measures.
    """

    success_auc: float
    precision_20_px: float
    annotated_success_auc: float
    annotated_precision_20_px: float
    success: list[float]
    precision: list[float]
    sequences: dict[str, SequenceMeasures]


def measure(truths: dict[str, Array], boxes: dict[str, Array]) -> Measures:
    """Compare the boxes of a tracker with the truth.

    Args:
        truths: sequence -> Nx4 float64 (x, y, width, height) in pixels, NaN where there is none.
        boxes: sequence -> boxes of the same form and number; NaN where the tracker had none.
    """
    success = {name: success_curve(truth, boxes[name]) for name, truth in truths.items()}
    precision = {name: precision_curve(truth, boxes[name]) for name, truth in truths.items()}
    sequences = {}
    for name, truth in truths.items():
        known = _has_area(truth)
        sequences[name] = SequenceMeasures(
            success_auc=float(success[name].mean()),
            precision_20_px=float(precision[name][_NEAR_PX]),
            annotated_success_auc=float(success_curve(truth[known], boxes[name][known]).mean()),
            annotated_precision_20_px=_near(truth[known], boxes[name][known]),
            frames=len(truth),
            annotated_frames=int(known.sum()),
        )
    rows = list(sequences.values())
    return Measures(
        success_auc=_mean([row.success_auc for row in rows]),
        precision_20_px=_mean([row.precision_20_px for row in rows]),
        annotated_success_auc=_mean([row.annotated_success_auc for row in rows]),
        annotated_precision_20_px=_mean([row.annotated_precision_20_px for row in rows]),
        success=[float(value) for value in np.mean(list(success.values()), axis=0)],
        precision=[float(value) for value in np.mean(list(precision.values()), axis=0)],
        sequences=sequences,
    )


def success_curve(truth: Array, boxes: Array) -> Array:
    """Share of frames whose overlap is above each threshold: 21 float64.

    Args:
        truth: Nx4 float64; without area or NaN where there is none.
        boxes: Nx4 float64.
    """
    known = _has_area(truth)
    overlaps = np.full(len(truth), -1.0)
    overlaps[known] = box_overlaps(truth[known], boxes[known])
    share: Array = (overlaps[:, None] > OVERLAP_THRESHOLDS).mean(0)
    return share


def precision_curve(truth: Array, boxes: Array) -> Array:
    """Share of frames whose centre is at most 0, 1, ... 50 px from the true one: 51 float64."""
    centres = truth[:, :2] + (truth[:, 2:] - 1) / 2
    known = np.all(centres > 0, axis=1)
    distances = np.where(known, centre_distances_px(truth, boxes), -1.0)
    share: Array = (distances[:, None] <= DISTANCE_THRESHOLDS_PX).mean(0)
    return share


def box_overlaps(first: Array, second: Array) -> Array:
    """Intersection over union of N pairs of continuous boxes: N float64; NaN where one is."""
    low = np.maximum(first[:, :2], second[:, :2])
    high = np.minimum(first[:, :2] + first[:, 2:], second[:, :2] + second[:, 2:])
    shared = np.maximum(high - low, 0).prod(1)
    overlaps: Array = shared / (first[:, 2:].prod(1) + second[:, 2:].prod(1) - shared)
    return np.clip(overlaps, 0, 1)


def centre_distances_px(first: Array, second: Array) -> Array:
    """Between the middles of N pairs of boxes: N float64; NaN where one is."""
    distances: Array = np.linalg.norm((first[:, :2] + first[:, 2:] / 2) - (second[:, :2] + second[:, 2:] / 2), axis=1)
    return distances


def _near(truth: Array, boxes: Array) -> float:
    return float((centre_distances_px(truth, boxes) <= _NEAR_PX).mean())


def _has_area(truth: Array) -> Array:
    known: Array = np.all(truth[:, 2:] > 0, axis=1)
    return known


def _mean(values: list[float]) -> float:
    return float(np.mean(values))
