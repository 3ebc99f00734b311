"""Which frames calibrate: every source gives the same number, and each stands for one moment of tracking."""

from __future__ import annotations

import hashlib
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Mapping

import numpy as np

from calibration.tracked import track
from sequences.layouts import open_sequences
from sequences.sequence import Sequence
from siamtrt import BoundingBox, ModelCard, UsageError

# The spread of a tracker's own error: of the centre, in mean sides of the target, and of the logarithm of the size.
_CENTER_ERROR = 0.1
_SIZE_ERROR = 0.1
_ANNOTATIONS = (".txt", ".json")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What to calibrate with.

    Attributes:
        onnx: folder written by the export stage.
        frames: folder of videos and images with boxes, see :mod:`sequences.layouts`.
        crops: how many template and search crops, >= 1.
        seed: of the choice.
        methods: target, search, xcorr -> method.
        threads: all cores when None.
    """

    onnx: Path
    frames: Path
    crops: int
    seed: int
    methods: dict[str, str]
    threads: int | None = None


@dataclass(frozen=True)
class View:
    """One object in one frame of a sequence."""

    sequence: Sequence
    index: int
    box: BoundingBox

    @property
    def frame_name(self) -> str:
        """Name of the image, or which frame of its video it is."""
        return self.sequence.images[self.index].name


@dataclass(frozen=True)
class Choice:
    """A template and a search region of one object, the second not before the first.

    Attributes:
        template: the target as it was given.
        search: the frame it is looked for in.
        state: where the tracker believes it to be: the box of the frame before, with a tracker's error.
    """

    template: View
    search: View
    state: BoundingBox


def plan(request: Request, card: ModelCard) -> list[Choice]:
    """Choose the crops of a request, see :func:`usable_views` and :func:`choose`."""
    return choose(usable_views(request, card), request.crops, request.seed)


def usable_views(request: Request, card: ModelCard) -> dict[str, list[View]]:
    """Every labelled frame that is large enough to track, by source; a video with its first box alone is tracked.

    Raises:
        UsageError: there is none, or a video without any box.
        ArtifactError: a video or its truth is damaged.
    """
    sources: dict[str, list[View]] = {}
    for sequence in open_sequences(request.frames, unlabelled_ok=False):
        views = _usable(sequence, card)
        if views and sequence.is_start_only:
            views = _usable(track(sequence, request.onnx, card, threads=request.threads), card)
        sources.setdefault(sequence.source or sequence.name, []).extend(views)
    for name, views in sources.items():
        if not views:
            log.warning("left out %s: no box with sides of %g px or more", name, card.tracker.min_side_px)
    if not any(sources.values()):
        raise UsageError(f"{request.frames} holds no box that is large enough", hint="label larger objects")
    return {name: views for name, views in sources.items() if views}


def choose(sources: Mapping[str, list[View]], crops: int, seed: int) -> list[Choice]:
    """Draw the same number of search frames from each source; where one has too few, the others make up for it.

    Args:
        sources: name -> its views, none empty.
        crops: how many choices, >= 1.
        seed: the same seed draws the same.

    Raises:
        UsageError: the sources have fewer labelled frames than *crops*.
    """
    available = sum(map(len, sources.values()))
    if not 1 <= crops <= available:
        raise UsageError(
            f"{crops} crops were asked for, the frames give 1 to {available}",
            hint=f"--crops {available}, or more frames",
        )
    rng = np.random.default_rng(seed)
    quotas = _quotas([len(views) for views in sources.values()], crops, rng)
    equal = crops // len(sources)
    short = [name for name, quota in zip(sources, quotas) if quota < equal]
    if short:
        log.warning("fewer than %d labelled frames: %s; others make up for it", equal, ", ".join(short))
    return [choice for views, quota in zip(sources.values(), quotas) for choice in _choose(views, quota, rng)]


def fingerprint(root: Path) -> str:
    """A digest of the files below *root*: names, sizes and times of change, and what the annotations say."""
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file() and path.name[0] != "."):
        status = path.stat()
        digest.update(repr((str(path.relative_to(root)), status.st_size, status.st_mtime_ns)).encode())
        if path.suffix in _ANNOTATIONS:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _usable(sequence: Sequence, card: ModelCard) -> list[View]:
    views = [View(sequence, index, box) for index, box in sequence.boxes()]
    return [view for view in views if min(view.box.width, view.box.height) >= card.tracker.min_side_px]


def _quotas(available: list[int], crops: int, rng: np.random.Generator) -> list[int]:
    """Deal *crops* evenly, one round after the other; the last round goes to sources drawn by chance."""
    quotas = [0] * len(available)
    while crops:
        open_ones = [index for index, count in enumerate(available) if quotas[index] < count]
        if crops < len(open_ones):
            open_ones = sorted(rng.choice(open_ones, crops, replace=False).tolist())
        for index in open_ones:
            quotas[index] += 1
        crops -= len(open_ones)
    return quotas


def _choose(views: list[View], quota: int, rng: np.random.Generator) -> Iterator[Choice]:
    by_object: dict[str, list[View]] = {}
    for view in views:
        by_object.setdefault(view.sequence.name, []).append(view)
    for index in sorted(rng.choice(len(views), quota, replace=False).tolist()):
        search = views[index]
        earlier = [view for view in by_object[search.sequence.name] if view.index < search.index]
        template = earlier[rng.integers(len(earlier))] if earlier else search
        before = earlier[-1] if earlier else search
        yield Choice(template, search, _with_error(before.box, rng))


def _with_error(box: BoundingBox, rng: np.random.Generator) -> BoundingBox:
    side = math.sqrt(box.area)
    center_x, center_y = box.center
    shift_x, shift_y = rng.normal(0.0, _CENTER_ERROR * side, 2).tolist()
    scale_x, scale_y = np.exp(rng.normal(0.0, _SIZE_ERROR, 2)).tolist()
    return BoundingBox.from_center(center_x + shift_x, center_y + shift_y, box.width * scale_x, box.height * scale_y)
