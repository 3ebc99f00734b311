from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamtrt import BoundingBox, UsageError

SIDES = st.floats(0.5, 500)
PLACES = st.floats(-500, 500)
BOXES = st.builds(BoundingBox, PLACES, PLACES, SIDES, SIDES)


@pytest.mark.parametrize(
    ("corners", "center", "size"),
    [
        ((10, 10, 10, 49, 59, 49, 59, 10), (34.5, 29.5), (50, 40)),
        ((50, 30, 70, 50, 50, 70, 30, 50), (50, 50), (29.284271, 29.284271)),
        ((12.3, 8.7, 33.1, 11.2, 31.9, 42.6, 10.4, 40.0), (21.925, 25.625), (21.995455, 32.354445)),
    ],
)
def test_a_polygon_becomes_pysots_initial_box(corners, center, size):
    box = BoundingBox.from_polygon(corners)
    assert (box.width, box.height) == pytest.approx(size, abs=1e-6)
    assert (box.x + (box.width - 1) / 2, box.y + (box.height - 1) / 2) == pytest.approx(center, abs=1e-6)


@pytest.mark.parametrize(
    "corners", [(1, 2, 3), (0, 0, 1, 0, math.nan, 1, 0, 1), (5, 0, 5, 1, 5, 2, 5, 3)], ids=["short", "nan", "line"]
)
def test_a_polygon_without_area_is_refused(corners):
    with pytest.raises(UsageError, match="polygon"):
        BoundingBox.from_polygon(corners)


def test_parse_reads_what_str_writes():
    assert BoundingBox.parse(str(BoundingBox(1.5, -2, 30, 40.25))) == BoundingBox(1.5, -2, 30, 40.25)


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1,2,0,4", "1,2,3,-4", "nan,1,2,3", "1,2,inf,3"])
def test_parse_refuses_what_is_no_box(text):
    with pytest.raises(UsageError):
        BoundingBox.parse(text)


def test_center_form_and_corner_form_name_the_same_box():
    box = BoundingBox.from_center(50, 60, 20, 10)
    assert box == BoundingBox(40, 55, 20, 10)
    assert box.center == (50, 60)
    assert box.area == 200


def test_iou_of_a_half_shifted_box_is_a_third():
    assert BoundingBox(0, 0, 10, 10).iou(BoundingBox(5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert BoundingBox(0, 0, 10, 10).iou(BoundingBox(10, 0, 10, 10)) == 0


@given(BOXES, BOXES)
def test_iou_is_symmetric_and_bounded(one, other):
    assert one.iou(other) == pytest.approx(other.iou(one), abs=1e-12)
    assert 0 <= one.iou(other) <= 1 + 1e-9
    assert one.iou(one) == pytest.approx(1, abs=1e-9)


def test_a_box_inside_an_image_stays_as_it_is_and_one_outside_has_no_area():
    box = BoundingBox(0.1, 0.2, 0.3, 99.8)
    assert box.clipped(100, 100) is box
    assert BoundingBox(-5, 90, 20, 20).clipped(100, 100) == BoundingBox(0, 90, 15, 10)
    for outside in (BoundingBox(100, 0, 5, 5), BoundingBox(-9, 3, 5, 5), BoundingBox(3, -9, 5, 5)):
        assert outside.clipped(100, 100).area == 0
