"""Success and precision against figures worked out by hand, and against a loop that is slow and plain."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.evaluation.ope.measures import measure, precision_curve, success_curve
from siamtrt import BoundingBox

NAN = [float("nan")] * 4


def plain(truth, boxes):
    """Success and precision of one sequence, a frame and a threshold at a time."""
    success, precision = [0] * 21, [0] * 51
    for (x, y, w, h), found in zip(truth.tolist(), boxes.tolist()):
        overlap = BoundingBox(x, y, w, h).iou(BoundingBox(*found)) if w > 0 and h > 0 else -1
        cx, cy = x + (w - 1) / 2, y + (h - 1) / 2
        apart = -1.0
        if cx > 0 and cy > 0:
            apart = np.hypot(cx - (found[0] + (found[2] - 1) / 2), cy - (found[1] + (found[3] - 1) / 2))
        for index, threshold in enumerate(np.arange(0, 1.05, 0.05)):
            success[index] += overlap > threshold
        for pixels in range(51):
            precision[pixels] += apart <= pixels
    return np.array(success) / len(truth), np.array(precision) / len(truth)


def test_figures_by_hand():
    truth = np.array([[10, 10, 10, 10]] * 4, float)
    boxes = np.array([[10, 10, 10, 10], [15, 10, 10, 10], [10, 30, 10, 10], [40, 10, 10, 10]], float)
    found = measure({"s": truth}, {"s": boxes})  # overlaps 1, 1/3, 0, 0; centres 0, 5, 20, 30 px apart
    assert found.success_auc == pytest.approx((20 + 7) / 21 / 4)  # nothing is above 1; 1/3 is above 0, ... 0.30
    assert found.precision_20_px == 3 / 4
    assert (found.success[0], found.success[6], found.success[7], found.success[20]) == (0.5, 0.5, 0.25, 0)
    assert [found.precision[pixels] for pixels in (0, 4, 5, 19, 20, 30)] == [0.25, 0.25, 0.5, 0.5, 0.75, 1]


def test_each_sequence_counts_alike_however_long():
    box = [[10.0, 10, 10, 10]]
    away = [[90.0, 90, 10, 10]]
    truths = {"short": np.array(box), "long": np.array(box * 9)}
    found = measure(truths, {"short": np.array(box), "long": np.array(away * 9)})
    assert found.success_auc == pytest.approx((20 / 21 + 0) / 2)
    assert found.precision_20_px == 0.5
    assert {name: row.frames for name, row in found.sequences.items()} == {"short": 1, "long": 9}


def test_a_frame_without_truth_is_missed_for_success_and_hit_for_precision_and_told():
    truth = np.array([[10, 10, 10, 10], NAN, [0, 0, 0, 0], [10, 10, 10, 10]], float)
    boxes = np.array([[10, 10, 10, 10], [50, 50, 9, 9], [50, 50, 9, 9], [90, 10, 10, 10]], float)
    found = measure({"s": truth}, {"s": boxes})
    assert found.success_auc == pytest.approx(20 / 21 / 4)
    assert found.precision_20_px == 3 / 4
    assert found.annotated_success_auc == pytest.approx(20 / 21 / 2)
    assert found.annotated_precision_20_px == 1 / 2
    assert (found.sequences["s"].frames, found.sequences["s"].annotated_frames) == (4, 2)


def test_a_frame_without_a_box_is_missed():
    truth = np.array([[10, 10, 10, 10]] * 2, float)
    boxes = np.array([[10, 10, 10, 10], NAN], float)
    assert success_curve(truth, boxes)[0] == 0.5
    assert precision_curve(truth, boxes)[50] == 0.5


def test_random_runs_equal_the_plain_loop():
    rng = np.random.default_rng(3)
    truth = rng.uniform(-20, 60, (300, 4)).round(1)
    boxes = np.concatenate([truth[:, :2] + rng.normal(0, 8, (300, 2)), rng.uniform(0.5, 60, (300, 2))], axis=1)
    truth[::17] = np.nan
    success, precision = plain(truth, boxes)
    assert success_curve(truth, boxes) == pytest.approx(success, abs=1e-12)
    assert precision_curve(truth, boxes) == pytest.approx(precision, abs=1e-12)
    assert 0.05 < success.mean() < 0.9
