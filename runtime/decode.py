"""Choose the best box of two score maps. Families: ``rpn`` (anchors) and ``ban`` (points).

Source: PySOT's and NanoTrack's trackers; numbers in tests/golden/pysot. All coordinates are pixels of the search crop,
relative to its centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np

from siamtrt import Array, InferenceError, ModelCard
from siamtrt.card import SearchCard
from siamtrt.geometry import anchor_grid, point_grid, proposals


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
        search: one of its searches.

    Attributes:
        is_points: the proposals come from points (``ban``), not from anchors.
        grid: 4xN float32 of :func:`anchor_grid`, or 2xN of :func:`point_grid`.
        window: N float64, what the cosine window adds to the worth of each proposal.
        influence: share of the cosine window in the choice, 0..1.
        penalty_k: how much a change of size and shape costs.
    """

    def __init__(self, card: ModelCard, search: SearchCard) -> None:
        self.is_points = card.family == "ban"
        self.penalty_k = card.tracker.penalty_k
        self.influence = search.window_influence
        if self.is_points:
            self.grid = point_grid(card.stride, search.score_size)
        else:
            self.grid = anchor_grid(card.stride, card.anchor_ratios, card.anchor_scales, search.score_size)
        window = np.hanning(search.score_size)
        self.window = np.tile(np.outer(window, window).ravel(), card.anchors_per_cell) * self.influence

    def best(self, cls: Array, loc: Array, width: float, height: float) -> Candidate:
        """Choose the box of one response.

        Args:
            cls: (2A, R, R) float32, background channels first.
            loc: (4A, R, R) float32.
            width: the target's last width, in crop pixels.
            height: the target's last height, in crop pixels.

        Raises:
            InferenceError: a score or the box is not finite.
        """
        logits = cls.reshape(2, -1)
        if not np.isfinite(logits.sum()):
            raise no_numbers()
        score = 1.0 / (1.0 + np.exp(logits[0] - logits[1]))
        x, y, widths, heights = proposals(loc.reshape(4, -1), self.grid)
        scale = _change(_size(widths, heights) / _size(width, height))
        shape = _change((width / height) / (widths / heights))
        penalty = np.exp((1.0 - shape * scale) * self.penalty_k)
        worth = penalty * score * (1.0 - self.influence) + self.window
        index = int(np.argmax(worth))  # which takes a NaN for the largest
        box = (float(x[index]), float(y[index]), float(widths[index]), float(heights[index]))
        if not all(map(isfinite, (worth[index], *box))):
            raise no_numbers()
        return Candidate(*box, float(score[index]), float(penalty[index]))


def decoders(card: ModelCard) -> dict[int, Decoder]:
    """The decoder of each search size of a model, by ``search_px``."""
    return {search.search_px: Decoder(card, search) for search in card.searches}


def no_numbers() -> InferenceError:
    """What is raised where a network's output cannot be ranked."""
    return InferenceError("the network put out scores that are no numbers", hint="build the engines in fp32")


def _change(ratio: Array) -> Array:
    """How far a ratio is from one, either way."""
    return np.maximum(ratio, 1.0 / ratio)


def _size(width: Array | float, height: Array | float) -> Array:
    """The side of the square around a box, with its context."""
    margin = (width + height) * 0.5
    size: Array = np.sqrt((width + margin) * (height + margin))
    return size
