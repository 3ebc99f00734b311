"""Golden rows made by calling the VOT toolkit's region library as PySOT does."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.evaluation.vot.overlap import box_polygon, raster_overlap

DIAMOND = (50, 30, 70, 50, 50, 70, 30, 50)
TILTED = (12.3, 8.7, 33.1, 11.2, 31.9, 42.6, 10.4, 40.0)
ROWS = [
    ("identical", (10, 10, 20, 30), (10, 10, 20, 30), (100, 100), 1.0),
    ("identical, half px", (10.5, 10.5, 20, 30), (10.5, 10.5, 20, 30), (100, 100), 1.0),
    ("quarter shift", (10, 10, 20, 20), (15, 10, 20, 20), (100, 100), 0.615385),
    ("touching edge", (10, 10, 20, 20), (30, 10, 20, 20), (100, 100), 0.0),
    ("1 px overlap", (10, 10, 20, 20), (29, 10, 20, 20), (100, 100), 0.05),
    ("0.4 px overlap", (10, 10, 20, 20), (29.6, 10, 20, 20), (100, 100), 0.024390),
    ("half outside", (-10, 10, 20, 20), (0, 10, 20, 20), (100, 100), 0.523810),
    ("half outside, unbounded", (-10, 10, 20, 20), (0, 10, 20, 20), None, 0.354839),
    ("fully outside", (-50, 10, 20, 20), (0, 10, 20, 20), (100, 100), 0.0),
    ("near border", (80, 80, 30, 30), (85, 85, 30, 30), (100, 100), 0.580499),
    ("near border, W-1, H-1", (80, 80, 30, 30), (85, 85, 30, 30), (99, 99), 0.5625),
    ("diamond", DIAMOND, (30, 30, 40, 40), (100, 100), 0.499108),
    ("zero-area prediction", (20, 20, 0, 0), (10, 10, 20, 20), (100, 100), 0.0),
    ("both zero-area", (20, 20, 0, 0), (20, 20, 0, 0), (100, 100), math.nan),
    ("float polygon", TILTED, (11.0, 9.0, 21.5, 31.0), (320, 240), 0.866152),
    ("shift by 8 of 40", (100, 80, 40, 40), (108, 80, 40, 40), (200, 200), 0.673469),
]


def polygon(region):
    numbers = np.array([region], float)
    return numbers.reshape(1, 4, 2) if numbers.shape[1] == 8 else box_polygon(numbers)


@pytest.mark.parametrize(("one", "other", "bounds", "wanted"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_golden_rows(one, other, bounds, wanted):
    found = raster_overlap(polygon(one), polygon(other), bounds)[0]
    assert found == pytest.approx(wanted, abs=1e-6, nan_ok=True)
    assert raster_overlap(polygon(other), polygon(one), bounds)[0] == pytest.approx(wanted, abs=1e-6, nan_ok=True)


def test_many_at_once_equal_one_by_one():
    bounded = [row for row in ROWS if row[3] == (100, 100)]
    one, other = (np.concatenate([polygon(row[side]) for row in bounded]) for side in (1, 2))
    found = raster_overlap(np.tile(one, (20, 1, 1)), np.tile(other, (20, 1, 1)), (100, 100))
    np.testing.assert_allclose(found, [row[4] for row in bounded] * 20, atol=1e-6)


def test_a_region_with_nan_has_no_overlap_figure():
    region = polygon((10, 10, 20, 20))
    broken = region.copy()
    broken[0, 0, 0] = np.nan
    assert np.isnan(raster_overlap(region, broken, (100, 100))[0])


def painted(region, bounds):
    """The same rules pixel by pixel, for convex regions."""
    corners = np.trunc(region + np.copysign(0.5, region))
    mask = np.zeros((bounds[1] + 1, bounds[0] + 1), bool)
    for row in range(bounds[1] + 1):
        crossings = sorted(
            int(x1 + (row - y1) / (y2 - y1) * (x2 - x1))
            for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, 1, axis=0))
            if y1 != y2 and min(y1, y2) <= row <= max(y1, y2)
        )
        if crossings and crossings[0] != crossings[-1]:
            mask[row, max(0, crossings[0]) : max(0, crossings[-1] + 1)] = True
    return mask


def test_random_boxes_equal_painted_ones():
    rng = np.random.default_rng(0)
    boxes = rng.uniform((-20, -20, 4, 4), (90, 70, 50, 50), (60, 4)).round(4)
    one, other = box_polygon(boxes[:30]), box_polygon(boxes[30:])
    found = raster_overlap(one, other, (99, 79))
    for index in range(30):
        masks = painted(one[index].astype(np.float32), (99, 79)), painted(other[index].astype(np.float32), (99, 79))
        union = (masks[0] | masks[1]).sum()
        wanted = (masks[0] & masks[1]).sum() / union if union else 0
        if not np.isclose(found[index], wanted):
            assert found[index] == 0  # regions that only touch count as apart
            assert wanted < 0.05


@pytest.mark.parametrize(
    ("box", "wanted"),
    [((1e30,) * 4, 0), ((1e300,) * 4, 0), ((-1e30, -1e30, 2e30, 2e30), 441 / 10201), ((0, 0, -5, -5), 0)],
)
def test_boxes_beyond_all_measure_are_boxes(box, wanted):
    truth = box_polygon(np.array([[10, 10, 20, 20]], float))
    found = raster_overlap(box_polygon(np.array([box], float)), truth, (100, 100))
    assert found[0] == pytest.approx(wanted)
