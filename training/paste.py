"""An object cut out by its mask and put onto another picture."""

from __future__ import annotations

import math

import cv2
import numpy as np

from sequences.masks import extent
from siamtrt import Array, BoundingBox


def paste(rng: np.random.Generator, canvas: Array, image: Array, mask: Array, side: float) -> BoundingBox:
    """Put the masked object on *canvas*, in place, scaled to a mean side of *side* pixels; return its box there."""
    box = extent(mask)
    scale = side / math.sqrt(box.area)
    height, width = canvas.shape[:2]
    x = float(rng.uniform(0, max(1.0, width - box.width * scale)))
    y = float(rng.uniform(0, max(1.0, height - box.height * scale)))
    left, top = int(x), int(y)
    right = min(width, math.ceil(x + box.width * scale) + 1)
    bottom = min(height, math.ceil(y + box.height * scale) + 1)
    move = np.array([[scale, 0, x - left - box.x * scale], [0, scale, y - top - box.y * scale]])
    size = (right - left, bottom - top)
    opacity = cv2.warpAffine(mask.astype(np.float32), move, size, flags=cv2.INTER_LINEAR)
    moved = cv2.warpAffine(image, move, size, flags=cv2.INTER_LINEAR)
    under = canvas[top:bottom, left:right]
    blended = under + opacity[..., None] * (moved.astype(np.float32) - under)
    under[:] = np.clip(blended, 0, 255).astype(np.uint8)
    return BoundingBox(x, y, box.width * scale, box.height * scale)
