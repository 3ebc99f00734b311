"""The frame of an update done the way PySOT does it, without its network: the yardstick of ``benchmarks overhead``."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from siamtrt import Array, BoundingBox, ModelCard
from siamtrt.geometry import anchor_grid, point_grid


class PysotsWay:
    """Pads the whole frame, copies crops as floats, decodes with numpy step by step, on fixed maps.

    Args:
        card: of the model whose maps are decoded.
        box: of the target; the state is put back for each frame.
        frame: its mean colour fills the border.
        cls: (2A, R, R) float32, the maps that every frame is answered with.
        loc: (4A, R, R) float32, the maps that every frame is answered with.
    """

    def __init__(self, card: ModelCard, box: BoundingBox, frame: Array, cls: Array, loc: Array) -> None:
        size, anchors = card.search.score_size, card.anchors_per_cell
        self._card = card
        self._center = np.array([box.x + (box.width - 1) / 2, box.y + (box.height - 1) / 2])
        self._size = np.array([box.width, box.height])
        self._mean = np.mean(frame, axis=(0, 1))
        self._cls, self._loc = cls[np.newaxis], loc[np.newaxis]
        self._grid = (
            anchor_grid(card.stride, card.anchor_ratios, card.anchor_scales, size).T
            if card.family == "rpn"
            else point_grid(card.stride, size).T
        )
        window = np.hanning(size)
        self._window = np.tile(np.outer(window, window).flatten(), anchors)

    def update(self, frame: Array) -> tuple[float, float, float, float]:
        """One frame: crop, then decode; returns x, y, width, height."""
        context = 0.5 * np.sum(self._size)
        side = np.sqrt((self._size[0] + context) * (self._size[1] + context))
        scale = self._card.template_px / side
        self._subwindow(frame, round(side * self._card.search.search_px / self._card.template_px))
        score, boxes = self._score(), self._boxes()
        change = self._change(self._padded(boxes[2], boxes[3]) / self._padded(*(self._size * scale)))
        shape = self._change((self._size[0] / self._size[1]) / (boxes[2] / boxes[3]))
        penalty = np.exp(-(shape * change - 1) * self._card.tracker.penalty_k)
        influence = self._card.search.window_influence
        best = int(np.argmax(penalty * score * (1 - influence) + self._window * influence))
        box = boxes[:, best] / scale
        rate = penalty[best] * score[best] * self._card.tracker.lr
        width, height = self._size * (1 - rate) + box[2:] * rate
        x, y = box[:2] + self._center
        return float(x - width / 2), float(y - height / 2), float(width), float(height)

    def _subwindow(self, frame: Array, side: int) -> Array:
        height, width = frame.shape[:2]
        corner = np.floor(self._center - (side + 1) / 2 + 0.5)
        last = corner + side - 1
        left, top = (int(max(0.0, -value)) for value in corner)
        right, bottom = (int(max(0.0, value - limit + 1)) for value, limit in zip(last, (width, height)))
        if any((left, top, right, bottom)):
            canvas = np.zeros((height + top + bottom, width + left + right, 3), np.uint8)
            canvas[top : top + height, left : left + width] = frame
            canvas[:top, left : left + width] = self._mean
            canvas[height + top :, left : left + width] = self._mean
            canvas[:, :left] = self._mean
            canvas[:, width + left :] = self._mean
            frame = canvas
        y, x = int(corner[1]) + top, int(corner[0]) + left
        patch = cv2.resize(
            frame[y : y + side, x : x + side], (self._card.search.search_px, self._card.search.search_px)
        )
        copied: Array = patch.transpose(2, 0, 1)[np.newaxis].astype(np.float32)
        return copied

    def _score(self) -> Array:
        flat = self._cls.transpose(1, 2, 3, 0).reshape(2, -1).T
        shifted = np.exp(flat - flat.max(axis=1, keepdims=True))
        probability: Array = (shifted / shifted.sum(axis=1, keepdims=True))[:, 1]
        return probability

    def _boxes(self) -> Array:
        delta = self._loc.transpose(1, 2, 3, 0).reshape(4, -1).copy()
        if self._card.family == "rpn":
            delta[0] = delta[0] * self._grid[:, 2] + self._grid[:, 0]
            delta[1] = delta[1] * self._grid[:, 3] + self._grid[:, 1]
            delta[2] = np.exp(delta[2]) * self._grid[:, 2]
            delta[3] = np.exp(delta[3]) * self._grid[:, 3]
            return delta
        left, top = self._grid[:, 0] - delta[0], self._grid[:, 1] - delta[1]
        right, bottom = self._grid[:, 0] + delta[2], self._grid[:, 1] + delta[3]
        return np.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top])

    @staticmethod
    def _change(ratio: Array) -> Array:
        return np.maximum(ratio, 1.0 / ratio)

    @staticmethod
    def _padded(width: Any, height: Any) -> Any:
        margin = (width + height) * 0.5
        return np.sqrt((width + margin) * (height + margin))
