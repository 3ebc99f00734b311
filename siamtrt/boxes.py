"""The one box type, and where other conventions are turned into it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Sequence, Tuple

from siamtrt.errors import UsageError


@dataclass(frozen=True)
class BoundingBox:
    """An axis-aligned box in image pixels.

    ``x, y`` is the top-left corner; ``width`` runs right, ``height`` runs down.
    Coordinates are continuous: pixel *i* covers ``[i, i + 1)``. Other conventions (VOT polygons, centre form)
    are converted where they enter, by a named constructor.
    """

    x: float
    y: float
    width: float
    height: float

    @classmethod
    def from_center(cls, center_x: float, center_y: float, width: float, height: float) -> BoundingBox:
        """Build a box from its centre, the form SiamRPN++ predicts."""
        return cls(center_x - width / 2, center_y - height / 2, width, height)

    @classmethod
    def from_polygon(cls, corners: Sequence[float]) -> BoundingBox:
        """Build the box that a VOT run starts from.

        Args:
            corners: ``x1, y1, ..., x4, y4`` in pixels, in drawing order.

        Returns:
            A box around the corners' mean whose sides are those of the enclosing rectangle scaled so that the areas
            agree, shifted by PySOT's half pixel (``x = cx - (width - 1) / 2``).

        Raises:
            UsageError: not eight finite numbers, or a polygon without area.

        Source: PySOT ``get_axis_aligned_bbox`` and the start of its VOT test loop.
        """
        if len(corners) != 8 or not all(math.isfinite(value) for value in corners):
            raise UsageError(f"a polygon is eight finite numbers, not {list(corners)}")
        xs, ys = corners[0::2], corners[1::2]
        enclosing_width, enclosing_height = max(xs) - min(xs), max(ys) - min(ys)
        if enclosing_width <= 0 or enclosing_height <= 0:
            raise UsageError(f"the polygon {list(corners)} has no area")
        first_side = math.hypot(xs[0] - xs[1], ys[0] - ys[1])
        second_side = math.hypot(xs[1] - xs[2], ys[1] - ys[2])
        scale = math.sqrt(first_side * second_side / (enclosing_width * enclosing_height))
        width, height = scale * enclosing_width + 1, scale * enclosing_height + 1
        return cls(sum(xs) / 4 - (width - 1) / 2, sum(ys) / 4 - (height - 1) / 2, width, height)

    @classmethod
    def parse(cls, text: str) -> BoundingBox:
        """Read ``X,Y,W,H`` as the commands take it.

        Raises:
            UsageError: the text is not four finite numbers with positive sides.
        """
        try:
            box = cls(*(float(field) for field in text.split(",")))
        except (TypeError, ValueError) as error:
            raise UsageError(f"{text!r} is not a box", hint="give X,Y,W,H in pixels, e.g. 120,80,64,48") from error
        box.require_valid()
        return box

    @property
    def center(self) -> Tuple[float, float]:
        """(x, y) of the middle, in pixels."""
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def area(self) -> float:
        """Width times height, in square pixels."""
        return self.width * self.height

    def clipped(self, width: float, height: float) -> BoundingBox:
        """The part inside an image of this size; without area where there is none, itself where it is all inside."""
        right, bottom = self.x + self.width, self.y + self.height
        if self.x >= 0 and self.y >= 0 and right <= width and bottom <= height:
            return self
        x, y = max(self.x, 0.0), max(self.y, 0.0)
        return BoundingBox(x, y, max(0.0, min(right, width) - x), max(0.0, min(bottom, height) - y))

    def require_valid(self) -> None:
        """Refuse a box that nothing can be measured in.

        Raises:
            UsageError: a coordinate is not finite, or a side is not positive.
        """
        if not all(math.isfinite(value) for value in (self.x, self.y, self.width, self.height)):
            raise UsageError(f"the box {self} has a coordinate that is not a number", hint="check the annotation")
        if self.width <= 0 or self.height <= 0:
            raise UsageError(f"the box {self} has no area", hint="width and height must be positive")

    def iou(self, other: BoundingBox) -> float:
        """Intersection over union of two continuous boxes, 0..1; 0 when both are empty.

        The VOT metrics use a raster overlap instead: ``benchmarks.evaluation.vot.overlap``.
        """
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        intersection = max(0.0, width) * max(0.0, height)
        union = self.area + other.area - intersection
        return intersection / union if union > 0 else 0.0

    def __str__(self) -> str:
        return f"{self.x:.4f},{self.y:.4f},{self.width:.4f},{self.height:.4f}"
