"""A training pair: two crops and the target's box in the search crop, drawn from the pair's number alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from networks.models import ModelSpec
from siamtrt import Array, BoundingBox
from siamtrt.geometry import context_side
from training.config import Augmentation, Config
from training.sources import REDRAWS, Labelled, Source

_JITTER_SCALE, _JITTER_OFFSET = 0.3, 30.0


@dataclass(frozen=True)
class Pair:
    """One example.

    Attributes:
        template: 127x127x3 uint8, BGR.
        search: SxSx3 uint8, BGR.
        box: the object in the search crop, in its pixels.
        positive: whether the template shows that object.
        known: whether the box is the truth; else it is where the search began.
    """

    template: Array
    search: Array
    box: BoundingBox
    positive: bool
    known: bool = True


class PairSampler:
    """Pair number *i* of a seed is always the same, so that a run resumes exactly and processes share no state.

    Args:
        sources: with their shares.
        config: of the run.
        model: gives the sides of the crops and their context.
        augmented: False for validation: the shift stays, colours do not change and every pair is positive.
    """

    def __init__(
        self, sources: list[tuple[Source, float]], config: Config, model: ModelSpec, *, augmented: bool = True
    ) -> None:
        self._sources = [source for source, _ in sources]
        self._shares = [share for _, share in sources]
        self._config, self._model, self._augmented = config, model, augmented

    def pair(self, index: int) -> Pair:
        """Draw pair *index*."""
        rng = np.random.default_rng([self._config.seed, index, int(self._augmented)])
        ranges = self._config.data.augmentation
        template, search = self._source(rng).pair(rng)
        positive = not self._augmented or rng.random() >= self._config.data.negative
        if not positive:
            template = self._other(rng, search)
        template_view = _draw(rng, ranges.template_shift_px, ranges.template_scale)
        search_view = _draw(rng, ranges.search_shift_px, ranges.search_scale)
        if ranges.search_zoom:
            search_view = _zoomed(search_view, (1 + ranges.search_zoom) ** float(rng.uniform(-1, 1)))
        template_crop, _ = self._crop(template, self._model.template_px, template_view)
        search_crop, box = self._crop(search, self._model.search_px, search_view)
        if self._augmented:
            gray = rng.random() < ranges.gray
            template_crop, search_crop = (
                _recolor(rng, view, ranges, gray=gray) for view in (template_crop, search_crop)
            )
            if rng.random() < ranges.blur:
                search_crop = cv2.blur(search_crop, (int(rng.integers(2, 8)),) * 2)
            if ranges.flip and rng.random() < ranges.flip:
                template_crop, search_crop = (cv2.flip(view, 1) for view in (template_crop, search_crop))
                box = BoundingBox(self._model.search_px - box.x - box.width, box.y, box.width, box.height)
        return Pair(template_crop, search_crop, box, bool(positive), search.known)

    def _other(self, rng: np.random.Generator, search: Labelled) -> Labelled:
        """A template of what *search* does not show; where the sources hardly have another object, any template."""
        template = self._source(rng).pair(rng)[0]
        for _ in range(REDRAWS):
            if template.shows.isdisjoint(search.shows):
                break
            template = self._source(rng).pair(rng)[0]
        return template

    def _crop(self, labelled: Labelled, out_px: int, view: View) -> tuple[Array, BoundingBox]:
        side_px = context_side(labelled.box.width, labelled.box.height, self._model.tracker.context)
        return crop(labelled, out_px, side_px * (out_px / self._model.template_px), view)

    def _source(self, rng: np.random.Generator) -> Source:
        return self._sources[rng.choice(len(self._sources), p=self._shares)]


@dataclass(frozen=True)
class View:
    """How a crop is disturbed: shift in crop pixels, factors on its two sides."""

    shift_x_px: float
    shift_y_px: float
    scale_x: float
    scale_y: float


def crop(labelled: Labelled, out_px: int, side_px: float, view: View) -> tuple[Array, BoundingBox]:
    """Cut a square around the object, as the tracker does, disturbed by *view*.

    Args:
        labelled: image and box.
        out_px: side of the crop.
        side_px: side of the square in the image.
        view: the disturbance.

    Returns:
        The crop, out_px x out_px x 3 uint8, padded with the image's mean colour; and the box in its pixels.
    """
    box = labelled.box
    scale_x, scale_y = out_px / side_px * view.scale_x, out_px / side_px * view.scale_y
    center_x, center_y = box.center
    offset_x = out_px / 2 + view.shift_x_px - scale_x * center_x
    offset_y = out_px / 2 + view.shift_y_px - scale_y * center_y
    # OpenCV puts the centre of the first pixel at 0, boxes put it at 0.5
    move = np.array([[scale_x, 0, offset_x + 0.5 * scale_x - 0.5], [0, scale_y, offset_y + 0.5 * scale_y - 0.5]])
    fill = cv2.mean(labelled.image)[:3]
    cut: Array = cv2.warpAffine(
        labelled.image, move, (out_px, out_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=fill
    )
    moved = BoundingBox(
        box.x * scale_x + offset_x, box.y * scale_y + offset_y, box.width * scale_x, box.height * scale_y
    )
    return cut, moved


def _draw(rng: np.random.Generator, shift_px: float, scale: float) -> View:
    return View(
        float(rng.uniform(-shift_px, shift_px)),
        float(rng.uniform(-shift_px, shift_px)),
        float(rng.uniform(1 - scale, 1 + scale)),
        float(rng.uniform(1 - scale, 1 + scale)),
    )


def _zoomed(view: View, factor: float) -> View:
    return replace(view, scale_x=view.scale_x * factor, scale_y=view.scale_y * factor)


def _recolor(rng: np.random.Generator, view: Array, ranges: Augmentation, *, gray: bool) -> Array:
    """Grey both views of a pair or neither; change contrast and brightness of each channel of some."""
    if gray:
        view = cv2.cvtColor(cv2.cvtColor(view, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if rng.random() >= ranges.color:
        return view
    gains = 1 + rng.uniform(-_JITTER_SCALE, _JITTER_SCALE) + rng.uniform(-0.1, 0.1, 3)
    changed = view * gains + rng.uniform(-_JITTER_OFFSET, _JITTER_OFFSET)
    return np.asarray(np.clip(changed, 0, 255), dtype=np.uint8)
