"""The overlap of VOT: regions are rasterised, pixels are counted, inside the image only.

Source: the region library of the VOT toolkit as PySOT uses it; behaviour pinned by
tests/benchmarks/evaluation/vot/test_overlap.py. Vertices are rounded half away from zero after a shift by whole pixels;
a scan line is filled from edge to edge, both included; a line that touches the region in a single pixel stays empty.
Coordinates are float32, as in that library.
"""

from __future__ import annotations

from typing import Iterable

import numpy as np

from siamtrt import Array, BoundingBox

_CHUNK = 64
_FARTHEST_PX = 1e7  # what a broken tracker puts out beyond stays a region, and out of every image
_EMPTY = 1 << 40  # beyond every image, and exact in float64
# Rasterising rounds corners by half a pixel and edges by one: what lies deeper than this is filled for certain.
_MARGIN_PX = 3.0


def box_polygon(box: Array) -> Array:
    """Corners of boxes: Nx4 (x, y, width, height) to Nx4x2."""
    x, y, width, height = (box[:, index] for index in range(4))
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    return np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)


def raster_overlap(first: Array, second: Array, bounds: tuple[float, float] | None) -> Array:
    """Intersection over union of N pairs of polygons.

    Args:
        first: Nx4x2, corners in drawing order, in pixels.
        second: Nx4x2 too.
        bounds: largest x and y that count, both included; everything counts when None.

    Returns:
        N float64 from 0 to 1; NaN for two equal regions without area, and where a corner is not finite.
    """
    parts = [
        _overlap(first[start : start + _CHUNK], second[start : start + _CHUNK], bounds)
        for start in range(0, len(first), _CHUNK)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def certainly_overlaps(box: BoundingBox, truth: Array, size: tuple[int, int]) -> bool:
    """Whether some pixel lies deep inside both regions and the image, so that their raster overlap is above 0.

    A cheap proof for most frames of a run; False only means that the overlap has to be computed. Computing it takes a
    tenth of a small network's frame, which a harness that times such frames must not.

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


def _overlap(first: Array, second: Array, bounds: tuple[float, float] | None) -> Array:
    finite: Array = np.isfinite(np.concatenate([first, second], axis=1)).all(axis=(1, 2))
    one = np.clip(np.where(finite[:, None, None], first, 0), -_FARTHEST_PX, _FARTHEST_PX).astype(np.float32)
    other = np.clip(np.where(finite[:, None, None], second, 0), -_FARTHEST_PX, _FARTHEST_PX).astype(np.float32)
    low_1, high_1 = _clipped(one, bounds)
    low_2, high_2 = _clipped(other, bounds)
    origin = np.minimum(low_1, low_2)
    size = (np.maximum(high_1, high_2) - origin).astype(np.int64) + 1
    visible = _worth_drawing(low_1, high_1, low_2, high_2) & (size >= 1).all(1)
    overlaps = np.where(finite, 0.0, np.nan)
    drawn = np.flatnonzero(visible & finite)
    if len(drawn):
        shift, extent = origin[drawn, None, :], size[drawn]
        runs_1 = _runs(one[drawn] - shift, extent)
        runs_2 = _runs(other[drawn] - shift, extent)
        shared = _shared(runs_1, runs_2)
        union = _area(runs_1) + _area(runs_2) - shared
        with np.errstate(invalid="ignore"):
            overlaps[drawn] = shared / union
    return overlaps


def _clipped(polygon: Array, bounds: tuple[float, float] | None) -> tuple[Array, Array]:
    """Whole-pixel corners of the rectangle around each polygon, inside the image: two Nx2 arrays."""
    low, high = np.floor(polygon.min(axis=1)), np.ceil(polygon.max(axis=1))
    if bounds is None:
        return low, high
    return np.maximum(low, 0), np.minimum(high, np.array(bounds, np.float32))


def _worth_drawing(low_1: Array, high_1: Array, low_2: Array, high_2: Array) -> Array:
    """False where the rectangles do not meet in an area, or one is absurdly larger than the other."""
    area_1, area_2 = (high_1 - low_1).prod(1, dtype=np.float64), (high_2 - low_2).prod(1, dtype=np.float64)
    shared = (np.minimum(high_1, high_2) - np.maximum(low_1, low_2)).prod(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        absurd = (area_1 / area_2 < 1e-10) | (area_2 / area_1 < 1e-10)
    both_flat = (area_1 + area_2 - shared) == 0
    worth: Array = ~absurd & ((shared != 0) | both_flat)
    return worth


def _runs(polygon: Array, size: Array) -> Array:
    """The filled pixels of each scan line: NxRx2x2 int64, two runs (first, last) a line, empty where last < first.

    Args:
        polygon: Nx4x2, shifted to the drawing's origin.
        size: Nx2, width and height of the drawing.
    """
    corners = polygon.astype(np.float64)
    x, y = (np.trunc(corners[..., axis] + np.copysign(0.5, corners[..., axis])) for axis in range(2))
    rows = np.arange(int(size[:, 1].max()))[None, :, None]
    x_1, y_1 = x[:, None, :], y[:, None, :]
    x_2, y_2 = np.roll(x, 1, axis=1)[:, None, :], np.roll(y, 1, axis=1)[:, None, :]
    rise = y_2 - y_1
    crossed = (np.minimum(y_1, y_2) <= rows) & (rows <= np.maximum(y_1, y_2)) & (rise != 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = np.trunc(x_1 + (rows - y_1) / rise * (x_2 - x_1))
    crossed &= rows < size[:, 1, None, None]
    nodes = np.sort(np.where(crossed, at, _EMPTY).astype(np.int64), axis=2)
    return _clip(_pair(nodes), size[:, 0, None, None])


def _pair(nodes: Array) -> Array:
    """Sorted crossings into runs: equal neighbours are one point of the outline and start no run."""
    a, b, c, d = (nodes[..., index] for index in range(4))
    starts_with_point = a == b
    first = np.where(starts_with_point, b, a)
    first_end = np.where(starts_with_point, c, b)
    doubled = starts_with_point & (b == c)  # then only the last two crossings can make a run
    first = np.where(doubled, c, first)
    first_end = np.where(doubled, d, first_end)
    no_first = (first_end == _EMPTY) | (first == first_end)
    second, second_end = c, d
    no_second = starts_with_point | (d == _EMPTY) | (c == d)
    second = np.maximum(second, first_end + 1)  # both runs may share a pixel
    runs = np.stack([np.stack([first, first_end], -1), np.stack([second, second_end], -1)], -2)
    empty = np.stack([no_first, no_second], -1)
    runs[empty] = (0, -1)
    return runs


def _clip(runs: Array, width: Array) -> Array:
    clipped = runs.copy()
    clipped[..., 0] = np.maximum(runs[..., 0], 0)
    clipped[..., 1] = np.minimum(runs[..., 1], width - 1)
    return clipped


def _area(runs: Array) -> Array:
    lengths: Array = np.maximum(runs[..., 1] - runs[..., 0] + 1, 0).sum((1, 2))
    return lengths


def _shared(runs_1: Array, runs_2: Array) -> Array:
    first = np.maximum(runs_1[:, :, :, None, 0], runs_2[:, :, None, :, 0])
    last = np.minimum(runs_1[:, :, :, None, 1], runs_2[:, :, None, :, 1])
    lengths: Array = np.maximum(last - first + 1, 0).sum((1, 2, 3))
    return lengths


def _in_box(point: tuple[float, float], box: tuple[float, float, float, float]) -> bool:
    """Deep inside left, top, right, bottom."""
    x, y = point
    left, top, right, bottom = box
    return left + _MARGIN_PX <= x <= right - _MARGIN_PX and top + _MARGIN_PX <= y <= bottom - _MARGIN_PX


def _in_polygon(point: tuple[float, float], corners: Iterable[tuple[float, float]]) -> bool:
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
