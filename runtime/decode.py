"""Score maps to the best box. Families: ``rpn`` (anchors) and ``ban`` (points).

Source: PySOT's and NanoTrack's trackers; numbers in tests/golden/pysot. All coordinates are pixels of the search crop,
relative to its centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Dict, Tuple

import numpy as np

from siamtrt import Array, InferenceError, ModelCard

_LARGEST_LOG = 20.0  # far beyond every image; keeps a broken size from becoming infinite
_SMALLEST_PX = 1e-3


@dataclass(frozen=True)
class Candidate:
    """The chosen box.

    Attributes:
        x: centre, in crop pixels right of the crop's centre.
        y: centre, in crop pixels below it.
        width: in crop pixels.
        height: in crop pixels.
        score: foreground probability, 0..1, before penalties.
        penalty: 0..1, how little size and shape changed.
    """

    x: float
    y: float
    width: float
    height: float
    score: float
    penalty: float


class Decoder:
    """Reads the maps of one model at one search size.

    Args:
        card: of the model.
        score_size: side of its score map.
        window_influence: share of the cosine window in the choice, 0..1.

    Attributes:
        is_points: the proposals come from points (``ban``), not from anchors.
        grid: 4xN float32 of :func:`anchor_grid`, or 2xN of :func:`point_grid`.
        window: N float64, what the cosine window adds to the worth of each proposal.
        influence: see *window_influence*.
        penalty_k: how much a change of size and shape costs.
    """

    def __init__(self, card: ModelCard, score_size: int, window_influence: float) -> None:
        self.is_points = card.family == "ban"
        self.penalty_k = card.tracker.penalty_k
        self.influence = window_influence
        if self.is_points:
            self.grid = point_grid(card.stride, score_size)
        else:
            self.grid = anchor_grid(card.stride, card.anchor_ratios, card.anchor_scales, score_size)
        window = np.hanning(score_size)
        self.window = np.tile(np.outer(window, window).ravel(), card.anchors_per_cell) * window_influence

    def best(self, cls: Array, loc: Array, width: float, height: float) -> Candidate:
        """Choose the box of one response.

        Args:
            cls: (2A, R, R) float32, background channels first.
            loc: (4A, R, R) float32.
            width: the target's last width, in crop pixels.
            height: likewise.

        Raises:
            InferenceError: a score or the box is not finite.
        """
        logits = cls.reshape(2, -1)
        if not np.isfinite(logits.sum()):
            raise no_numbers()
        score = 1.0 / (1.0 + np.exp(logits[0] - logits[1]))
        x, y, widths, heights = self._boxes(loc.reshape(4, -1))
        scale = _change(_size(widths, heights) / _size(width, height))
        shape = _change((width / height) / (widths / heights))
        penalty = np.exp((1.0 - shape * scale) * self.penalty_k)
        worth = penalty * score * (1.0 - self.influence) + self.window
        index = int(np.argmax(worth))  # which takes a NaN for the largest
        box = (float(x[index]), float(y[index]), float(widths[index]), float(heights[index]))
        if not all(map(isfinite, (worth[index], *box))):
            raise no_numbers()
        return Candidate(*box, float(score[index]), float(penalty[index]))

    def _boxes(self, loc: Array) -> Tuple[Array, Array, Array, Array]:
        """Centre and size of every proposal."""
        grid = self.grid
        if not self.is_points:
            widths, heights = (np.exp(np.minimum(loc[axis], _LARGEST_LOG)) * grid[axis] for axis in (2, 3))
            return loc[0] * grid[2] + grid[0], loc[1] * grid[3] + grid[1], widths, heights
        left, top, right, bottom = grid[0] - loc[0], grid[1] - loc[1], grid[0] + loc[2], grid[1] + loc[3]
        widths, heights = np.maximum(right - left, _SMALLEST_PX), np.maximum(bottom - top, _SMALLEST_PX)
        return (left + right) / 2, (top + bottom) / 2, widths, heights


def decoders(card: ModelCard) -> Dict[int, Decoder]:
    """The decoder of each search size of a model, by ``search_px``."""
    found = {card.search_px: Decoder(card, card.score_size, card.tracker.window_influence)}
    if card.lost:
        found[card.lost.search_px] = Decoder(card, card.lost.score_size, card.lost.window_influence)
    return found


def no_numbers() -> InferenceError:
    """What is raised where a network's output cannot be ranked."""
    return InferenceError("the network put out scores that are no numbers", hint="build the engines in fp32")


def anchor_grid(stride: int, ratios: Tuple[float, ...], scales: Tuple[float, ...], score_size: int) -> Array:
    """Anchors as PySOT makes them.

    Returns:
        4xN float32: centre x, centre y, width, height; N = A R R, anchor-major, x fastest.
    """
    line = stride * (np.arange(score_size) - score_size // 2)
    columns, rows = np.meshgrid(line, line)
    planes = []
    for ratio in ratios:
        base_width = int(np.sqrt(stride * stride / ratio))
        base_height = int(base_width * ratio)
        for scale in scales:
            sides = [np.full(columns.size, side * scale) for side in (base_width, base_height)]
            planes.append(np.stack([columns.ravel(), rows.ravel(), *sides]))
    return np.concatenate(planes, axis=1).astype(np.float32)


def point_grid(stride: int, score_size: int) -> Array:
    """The points of an anchor-free head: 2xN float32, x and y, x fastest."""
    line = stride * (np.arange(score_size) - score_size // 2)
    columns, rows = np.meshgrid(line, line)
    return np.stack([columns.ravel(), rows.ravel()]).astype(np.float32)


def _change(ratio: Array) -> Array:
    """How far a ratio is from one, either way."""
    return np.maximum(ratio, 1.0 / ratio)


def _size(width: Array | float, height: Array | float) -> Array:
    """The side of the square around a box, with its context."""
    margin = (width + height) * 0.5
    size: Array = np.sqrt((width + margin) * (height + margin))
    return size
