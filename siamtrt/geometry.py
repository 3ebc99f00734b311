"""Where the trackers look and what their maps propose: squares, anchors, points, boxes.

Source: Li et al., CVPR 2018, sec. 4.3, with PySOT's rounding; golden values in tests/golden/pysot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np

from siamtrt.boxes import BoundingBox
from siamtrt.card import ModelCard, SearchCard
from siamtrt.tensors import Array

_LARGEST_LOG = 20.0  # far beyond every image; keeps a broken size from becoming infinite
_SMALLEST_PX = 1e-3


@dataclass(frozen=True)
class Square:
    """A square region of a frame and the size it is scaled to.

    Attributes:
        center_x: centre in pixels; may lie outside the frame.
        center_y: centre in pixels; may lie outside the frame.
        side_px: side in frame pixels, before scaling; >= 1.
        out_px: side after scaling: the card's ``template_px`` or the ``search_px`` of one of its searches.
    """

    center_x: float
    center_y: float
    side_px: int
    out_px: int


@dataclass(frozen=True)
class Place:
    """Where a target is, as a tracker carries it from frame to frame: centre and size in frame pixels."""

    center_x: float
    center_y: float
    width: float
    height: float

    @classmethod
    def given(cls, box: BoundingBox) -> Place:
        """The place of a box that a user gives; its centre is PySOT's, half a pixel to the upper left."""
        return cls(box.x + (box.width - 1) / 2, box.y + (box.height - 1) / 2, box.width, box.height)

    @property
    def box(self) -> BoundingBox:
        """The box around the centre."""
        return BoundingBox.from_center(self.center_x, self.center_y, self.width, self.height)

    def within(self, frame_shape: Sequence[int], min_side_px: float) -> Place:
        """This place with its centre in a frame of (height, width, ...), its sides between least and frame's."""
        height, width = float(frame_shape[0]), float(frame_shape[1])
        return Place(
            min(max(self.center_x, 0.0), width),
            min(max(self.center_y, 0.0), height),
            max(min_side_px, min(self.width, width)),
            max(min_side_px, min(self.height, height)),
        )


def context_side(width: float, height: float, context: float) -> float:
    """Side of the template's square in pixels, not rounded: ``sqrt((w + p)(h + p))`` with ``p = context (w + h)``."""
    margin = context * (width + height)
    return math.sqrt((width + margin) * (height + margin))


def template_square(place: Place, card: ModelCard) -> Square:
    """What the target graph sees of a target at *place*; sides round half to even, as Python's ``round`` does."""
    side_px = max(1, round(context_side(place.width, place.height, card.tracker.context)))
    return Square(place.center_x, place.center_y, side_px, card.template_px)


def search_square(place: Place, card: ModelCard, search: SearchCard) -> Square:
    """Where *search* looks for a target that was last at *place*."""
    ratio = search.search_px / card.template_px
    side_px = max(1, round(context_side(place.width, place.height, card.tracker.context) * ratio))
    return Square(place.center_x, place.center_y, side_px, search.search_px)


def crop_scale(place: Place, card: ModelCard) -> float:
    """Crop pixels a frame pixel, in the template and in every search."""
    return card.template_px / context_side(place.width, place.height, card.tracker.context)


def anchor_grid(stride: int, ratios: Sequence[float], scales: Sequence[float], score_size: int) -> Array:
    """Anchors as PySOT makes them, in pixels of the search crop relative to its centre.

    Returns:
        4xN float32: centre x, centre y, width, height; N = A R R, anchor-major, x fastest.
    """
    columns, rows = _cells(stride, score_size)
    planes = []
    for ratio in ratios:
        base_width = int(np.sqrt(stride * stride / ratio))
        base_height = int(base_width * ratio)
        for scale in scales:
            sides = [np.full(columns.size, side * scale) for side in (base_width, base_height)]
            planes.append(np.stack([columns, rows, *sides]))
    return np.concatenate(planes, axis=1).astype(np.float32)


def point_grid(stride: int, score_size: int) -> Array:
    """The points of an anchor-free head: 2xN float32, x and y, x fastest."""
    return np.stack(_cells(stride, score_size)).astype(np.float32)


def proposals(loc: Array, grid: Array) -> Tuple[Array, Array, Array, Array]:
    """Centre x, centre y, width and height of every box that a head proposes, in the grid's pixels.

    Args:
        loc: 4xN; of anchors dx, dy, dw, dh, of points left, top, right, bottom.
        grid: 4xN of :func:`anchor_grid`, or 2xN of :func:`point_grid`.
    """
    if len(grid) == 4:
        widths, heights = (np.exp(np.minimum(loc[axis], _LARGEST_LOG)) * grid[axis] for axis in (2, 3))
        return loc[0] * grid[2] + grid[0], loc[1] * grid[3] + grid[1], widths, heights
    left, top, right, bottom = grid[0] - loc[0], grid[1] - loc[1], grid[0] + loc[2], grid[1] + loc[3]
    widths, heights = np.maximum(right - left, _SMALLEST_PX), np.maximum(bottom - top, _SMALLEST_PX)
    return (left + right) / 2, (top + bottom) / 2, widths, heights


def _cells(stride: int, score_size: int) -> Tuple[Array, Array]:
    line = stride * (np.arange(score_size) - score_size // 2)
    columns, rows = np.meshgrid(line, line)
    return columns.ravel(), rows.ravel()
