"""Which frames calibrate, and the crops a tracker would cut out of them."""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Dict, Iterator, List, Sequence, Tuple

import numpy as np

from calibration.clips import Clip, Label
from runtime.crop import crop
from runtime.frames import fill_color
from runtime.matcher import Color
from siamtrt import Array, BoundingBox, ModelCard, UsageError
from siamtrt.geometry import Place, Square, search_square, template_square

# The spread of a tracker's own error: of the centre, in mean sides of the target, and of the logarithm of the size.
_CENTER_ERROR = 0.1
_SIZE_ERROR = 0.1
LOST_EVERY = 20

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """A template and a search region of one object, the second not before the first.

    Attributes:
        template: the target as it was given.
        search: the frame it is looked for in.
        state: where the tracker believes it to be: the box of the frame before, with a tracker's error.
    """

    clip: Clip
    template: Label
    search: Label
    state: BoundingBox


@dataclass(frozen=True)
class Crops:
    """What one choice gives the graphs; each SxSx3 uint8, BGR. ``search_lost`` is there for one in ``LOST_EVERY``."""

    template: Array
    search: Dict[str, Array]


def choose(clips: Sequence[Clip], crops: int, seed: int) -> List[Choice]:
    """Draw the same number of search frames from each clip; where one has too few, the others make up for it.

    Args:
        clips: labels all there.
        crops: how many choices, >= 1.
        seed: the same seed draws the same.

    Returns:
        The choices, clip by clip.

    Raises:
        UsageError: the clips have fewer labelled frames than *crops*.
    """
    available = sum(len(clip.labels) for clip in clips)
    if not 1 <= crops <= available:
        raise UsageError(
            f"{crops} crops were asked for, the frames give 1 to {available}",
            hint=f"--crops {available}, or more frames",
        )
    rng = np.random.default_rng(seed)
    quotas = _quotas([len(clip.labels) for clip in clips], crops, rng)
    short = [clip.name for clip, quota in zip(clips, quotas) if quota < crops // len(clips)]
    if short:
        log.warning("fewer than %d labelled frames: %s; others make up for it", crops // len(clips), ", ".join(short))
    return [choice for clip, quota in zip(clips, quotas) for choice in _choose(clip, quota, rng)]


def cut(choices: Sequence[Choice], card: ModelCard) -> Iterator[Tuple[int, Crops]]:
    """Read the frames of each clip once, in order, and cut: (index into *choices*, crops), in no particular order.

    Raises:
        UsageError: a crop is of one colour throughout, or a box outside its frame.
        ArtifactError: a frame cannot be read.
    """
    by_clip: Dict[str, List[int]] = defaultdict(list)
    for index, choice in enumerate(choices):
        by_clip[choice.clip.name].append(index)
    for indices in by_clip.values():
        yield from _cut_clip({index: choices[index] for index in indices}, card)


def _quotas(available: List[int], crops: int, rng: np.random.Generator) -> List[int]:
    """Deal *crops* evenly, one round after the other; the last round goes to clips drawn by chance."""
    quotas = [0] * len(available)
    while crops:
        open_ones = [index for index, count in enumerate(available) if quotas[index] < count]
        if crops < len(open_ones):
            open_ones = sorted(rng.choice(open_ones, crops, replace=False).tolist())
        for index in open_ones:
            quotas[index] += 1
        crops -= len(open_ones)
    return quotas


def _choose(clip: Clip, quota: int, rng: np.random.Generator) -> Iterator[Choice]:
    groups: Dict[str, List[Label]] = defaultdict(list)
    for label in clip.labels:
        groups[label.group].append(label)
    for index in sorted(rng.choice(len(clip.labels), quota, replace=False).tolist()):
        search = clip.labels[index]
        earlier = [label for label in groups[search.group] if label.position < search.position]
        template = earlier[rng.integers(len(earlier))] if earlier else search
        before = earlier[-1] if earlier else search
        yield Choice(clip, template, search, _with_error(before.box, rng))


def _with_error(box: BoundingBox, rng: np.random.Generator) -> BoundingBox:
    side = math.sqrt(box.area)
    center_x, center_y = box.center
    shift_x, shift_y = rng.normal(0.0, _CENTER_ERROR * side, 2).tolist()
    scale_x, scale_y = np.exp(rng.normal(0.0, _SIZE_ERROR, 2)).tolist()
    return BoundingBox.from_center(center_x + shift_x, center_y + shift_y, box.width * scale_x, box.height * scale_y)


def _cut_clip(choices: Dict[int, Choice], card: ModelCard) -> Iterator[Tuple[int, Crops]]:
    wanted = {label.position for choice in choices.values() for label in (choice.template, choice.search)}
    templates: Dict[int, Tuple[Array, Color]] = {}
    for position, frame in choices[min(choices)].clip.frames(wanted):
        for index, choice in choices.items():
            if choice.template.position == position:
                fill = fill_color(frame)
                templates[index] = _template(frame, choice, fill, card), fill
            if choice.search.position == position:
                template, fill = templates.pop(index)
                yield index, Crops(template, _searches(frame, choice, fill, card, lost=index % LOST_EVERY == 0))


def _template(frame: Array, choice: Choice, fill: Color, card: ModelCard) -> Array:
    """As ``Tracker.start`` cuts it."""
    square = template_square(Place.given(choice.template.box), card)
    return _crop(frame, square, fill, choice, choice.template)


def _searches(frame: Array, choice: Choice, fill: Color, card: ModelCard, *, lost: bool) -> Dict[str, Array]:
    """As ``Tracker.update`` cuts them: centre and size kept within the frame."""
    state = choice.state
    place = Place(*state.center, state.width, state.height).within(frame.shape, card.tracker.min_side_px)
    return {
        search.crop: _crop(frame, search_square(place, card, search), fill, choice, choice.search)
        for search in card.searches
        if lost or search.lost is None
    }


def _crop(frame: Array, square: Square, fill: Color, choice: Choice, label: Label) -> Array:
    patch = crop(frame, square, fill)
    color = patch[0, 0]
    if (patch == color).all():
        raise UsageError(
            f"the crop at {label.box} of {label.frame} in {choice.clip.name} is {tuple(color.tolist())} throughout",
            hint="leave out black frames and boxes outside the frame",
        )
    return np.ascontiguousarray(patch)
