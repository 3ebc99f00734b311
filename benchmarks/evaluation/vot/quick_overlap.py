"""A cheap proof that two regions overlap, for the frames of a run in which that is plain to see."""

from __future__ import annotations

from typing import Iterable, Tuple

from siamtrt import Array, BoundingBox

# Rasterising rounds corners by half a pixel and edges by one: what lies deeper than this is filled for certain.
_MARGIN_PX = 3.0


def plainly_overlap(box: BoundingBox, truth: Array, size: Tuple[int, int]) -> bool:
    """Whether some pixel lies deep inside both regions and the image, so that their raster overlap is above 0.

    False only means that the overlap has to be computed. Computing it takes a tenth of a small network's frame, which a
    harness that times such frames must not.

    Args:
        box: the first region.
        truth: 4x2 corners of the second, in drawing order, in pixels.
        size: width and height of the image.
    """
    corners = [(float(x), float(y)) for x, y in truth.tolist()]
    middle = (sum(x for x, _ in corners) / 4, sum(y for _, y in corners) / 4)
    return any(
        _in_box(point, (0.0, 0.0, *size))
        and _in_box(point, (box.x, box.y, box.x + box.width, box.y + box.height))
        and _in_polygon(point, corners)
        for point in (middle, box.center)
    )


def _in_box(point: Tuple[float, float], box: Tuple[float, float, float, float]) -> bool:
    """Deep inside left, top, right, bottom."""
    x, y = point
    left, top, right, bottom = box
    return left + _MARGIN_PX <= x <= right - _MARGIN_PX and top + _MARGIN_PX <= y <= bottom - _MARGIN_PX


def _in_polygon(point: Tuple[float, float], corners: Iterable[Tuple[float, float]]) -> bool:
    """On the same side of all four edges and away from each: then they wind around the point once, however shaped."""
    x, y = point
    ring = list(corners)
    sides = []
    for (x_1, y_1), (x_2, y_2) in zip(ring, [*ring[1:], ring[0]]):
        along_x, along_y = x_2 - x_1, y_2 - y_1
        length = (along_x * along_x + along_y * along_y) ** 0.5
        away = along_x * (y - y_1) - along_y * (x - x_1)
        if not abs(away) >= _MARGIN_PX * length or length == 0:
            return False
        sides.append(away > 0)
    return all(sides) or not any(sides)
