from __future__ import annotations

import numpy as np
import pytest

from siamtrt.geometry import Place, context_side, proposals, template_square
from tests.runtime.stub import card

ANCHOR = np.array([[0.0], [0.0], [64.0], [32.0]], np.float32)
POINT = np.zeros((2, 1), np.float32)


@pytest.mark.parametrize(("log", "growth"), [(5.0, np.exp(5.0)), (10.0, np.exp(10.0)), (1000.0, np.exp(20.0))])
def test_a_box_may_grow_beyond_every_image_but_not_to_infinity(log, growth):
    loc = np.array([[0.0], [0.0], [log], [log]], np.float32)
    _, _, widths, heights = proposals(loc, ANCHOR)
    assert (widths[0], heights[0]) == pytest.approx((64 * growth, 32 * growth), rel=1e-5)


@pytest.mark.parametrize(("reach", "side"), [(1.0, 2.0), (0.05, 0.1), (0.0, 1e-3), (-4.0, 1e-3)])
def test_a_tiny_box_of_a_point_keeps_its_sides_and_a_crossed_one_has_no_area_to_speak_of(reach, side):
    _, _, widths, heights = proposals(np.full((4, 1), reach, np.float32), POINT)
    assert (widths[0], heights[0]) == pytest.approx((side, side))


@pytest.mark.parametrize(("side", "rounded"), [(20.5, 20), (21.5, 22), (21.75, 22), (0.2, 1)])
def test_half_a_pixel_of_a_side_rounds_to_even_as_in_pysot(side, rounded):
    place = Place(0, 0, side / 2, side / 2)  # a square's context doubles its side
    assert context_side(place.width, place.height, 0.5) == side
    assert template_square(place, card()).side_px == rounded


def test_a_place_is_brought_back_into_its_frame():
    frame_shape = (240, 320, 3)
    assert Place(400, -5, 900, 900).within(frame_shape, 10) == Place(320, 0, 320, 240)
    assert Place(50, 60, 3, 4).within(frame_shape, 10) == Place(50, 60, 10, 10)
    assert Place(50, 60, 30, 40).within(frame_shape, 10) == Place(50, 60, 30, 40)
