"""Which labelled images a pair is drawn from: one plain class a kind of source."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cachetools
import numpy as np

from sequences.frames import read_frame
from sequences.layouts import names_of, open_sequences
from sequences.masks import read_mask
from sequences.sequence import Sequence
from siamtrt import Array, ArtifactError, BoundingBox, UsageError
from training.config import Config, SourceConfig
from training.paste import paste

_MIN_SIDE_PX = 8.0
_MAX_ASPECT = 8.0
_MIN_STILL_PX = 16.0
_CACHE_BYTES = 3 << 30  # of frames, and as much of masks at most; data that do not fit are read again
_PATCH_SHARES, _PATCH_STRETCH = (0.1, 0.4), 0.6
_IMAGE_SUFFIXES = (".jpg", ".png")
PATCHES = "patches"
REDRAWS = 20  # of another object than a first one, before there seems to be none


LabelledPath = tuple[Path, BoundingBox]  # a frame that is not read yet, and the box of one object in it


@dataclass(frozen=True)
class Labelled:
    """An image and the box of one object in it.

    Attributes:
        image: HxWx3 uint8, BGR.
        box: of the object, in pixels.
        known: whether that is the truth; else it is only where to look.
        shows: where the objects in it come from: the folders of their videos, or an image by itself.
    """

    image: Array
    box: BoundingBox
    known: bool = True
    shows: frozenset[Path] = frozenset()


class Source(Protocol):
    """Draws two views of one object."""

    def pair(self, rng: np.random.Generator) -> tuple[Labelled, Labelled]:
        """A template view and a search view."""


class Videos:
    """Videos with a box in two frames at least, of any layout that :mod:`sequences.layouts` knows.

    Args:
        root: the folder of the videos.
        skip: names left out.
        only: if given, the only names taken.
        frame_gap: largest distance between the two frames of a pair.

    Raises:
        ArtifactError: there is no such video, or one is damaged.
    """

    def __init__(self, root: Path, *, skip: tuple[str, ...], only: tuple[str, ...] | None, frame_gap: int) -> None:
        self._gap = frame_gap
        self._videos = [video for video in map(_usable, _open_sequences(root, skip, only)) if len(video) > 1]
        _require(self._videos, root, "no video with two usable boxes")

    def pair(self, rng: np.random.Generator) -> tuple[Labelled, Labelled]:
        """Two frames of one video."""
        first, second = self.views(rng)
        return _labelled(*first), _labelled(*second)

    def views(self, rng: np.random.Generator, besides: Path | None = None) -> tuple[LabelledPath, LabelledPath]:
        """Draw two frames of one video, not read yet; where there are others, not of that of the image *besides*."""
        video = self._videos[rng.integers(len(self._videos))]
        for _ in range(REDRAWS):
            if all(path != besides for path, _ in video):
                break
            video = self._videos[rng.integers(len(self._videos))]
        first, second = _two_frames(rng, len(video), self._gap)
        return video[first], video[second]


class Composites:
    """Objects cut out by their masks and put on other images, next to another object: exact boxes without end.

    Args:
        masked: videos of images with masks, where the objects come from.
        backgrounds: a folder of images.
    """

    def __init__(self, masked: Videos, backgrounds: Path) -> None:
        self._masked = masked
        _read_mask(masked.views(np.random.default_rng(0))[0][0])  # a source without masks says so before the first step
        self._backgrounds = sorted(path for path in backgrounds.rglob("*") if path.suffix in _IMAGE_SUFFIXES)
        _require(self._backgrounds, backgrounds, "no image")

    def pair(self, rng: np.random.Generator) -> tuple[Labelled, Labelled]:
        """Two views of one object on two backgrounds; on the second there is a second object."""
        first, second = self._masked.views(rng)
        side = float(rng.uniform(48, 140))
        template = self._compose(rng, [first], [side])
        distractor, _ = self._masked.views(rng, besides=first[0])
        search = self._compose(rng, [distractor, second], [side * float(rng.uniform(0.7, 1.3)), side])
        return template, search

    def _compose(self, rng: np.random.Generator, objects: list[LabelledPath], sides: list[float]) -> Labelled:
        canvas = _read(self._backgrounds[rng.integers(len(self._backgrounds))]).copy()
        box = BoundingBox(0, 0, 1, 1)
        for (path, _), side in zip(objects, sides, strict=True):
            box = paste(rng, canvas, _read(path), _read_mask(path), side)
        return Labelled(canvas, box, shows=frozenset(path.parent for path, _ in objects))


class Images:
    """Every labelled image of a folder by itself, as ``boxes.json`` names them; both views show the same image."""

    def __init__(self, root: Path, *, skip: tuple[str, ...]) -> None:
        sequences = _open_sequences(root, skip, None)
        views = [(*view, _origin(sequence)) for sequence in sequences for view in _usable(sequence)]
        self._entries = [view for view in views if min(view[1].width, view[1].height) > _MIN_STILL_PX]
        _require(self._entries, root, "no usable box")

    def pair(self, rng: np.random.Generator) -> tuple[Labelled, Labelled]:
        """The same image twice; augmentation tells the views apart."""
        path, box, origin = self._entries[rng.integers(len(self._entries))]
        labelled = Labelled(_read(path), box, shows=frozenset({origin}))
        return labelled, labelled


class Patches:
    """Any piece of a video as the object; where it is in another frame only a teacher can say.

    Args:
        root: videos of any layout.
        skip: names left out.
        frame_gap: largest distance between the two frames of a pair.
    """

    def __init__(self, root: Path, *, skip: tuple[str, ...], frame_gap: int) -> None:
        self._gap = frame_gap
        self._videos = [sequence.images for sequence in _open_sequences(root, skip, None) if len(sequence) > 1]
        _require(self._videos, root, "no video of two frames")

    def pair(self, rng: np.random.Generator) -> tuple[Labelled, Labelled]:
        """The same place in two frames of one video."""
        video = self._videos[rng.integers(len(self._videos))]
        first, second = _two_frames(rng, len(video), self._gap)
        image = _read(video[first])
        height, width = image.shape[:2]
        side = min(height, width) * float(rng.uniform(*_PATCH_SHARES))
        stretch = math.exp(float(rng.uniform(-_PATCH_STRETCH, _PATCH_STRETCH)))
        across, down = side * stretch, side / stretch
        x, y = float(rng.uniform(0, width - across)), float(rng.uniform(0, height - down))
        box = BoundingBox(x, y, across, down)
        shows = frozenset({video[first].parent})
        return Labelled(image, box, shows=shows), Labelled(_read(video[second]), box, known=False, shows=shows)


def open_sources(config: Config, data: Path, *, validation: bool = False) -> list[tuple[Source, float]]:
    """The sources of a run with their shares, which sum to one.

    Args:
        config: of the run.
        data: the folder that the configured paths are below.
        validation: open the held-out videos instead of the others.

    Raises:
        UsageError: an unknown kind, nothing to hold out, or a held-out name that no source has.
        ArtifactError: a folder is absent, empty or damaged.
    """
    chosen = _holding_out(config, data) if validation else config.data.sources
    if not chosen:
        raise UsageError(
            "no source has videos to hold out, which choose the weights that are kept",
            hint="add a source of the kind videos or masks",
        )
    opened = [(_open(entry, config, data, validation=validation), entry.weight) for entry in chosen]
    _require_named(config, data)
    total = sum(weight for _, weight in opened)
    return [(source, weight / total) for source, weight in opened]


def require_truth(config: Config) -> None:
    """Refuse sources without truth, for a task in which nobody else says where the object is.

    Raises:
        UsageError: there is one.
    """
    unknown = [entry.path for entry in config.data.sources if entry.kind == PATCHES]
    if unknown:
        raise UsageError(
            f"the source {unknown[0]} of the kind {PATCHES} has no truth, and no teacher labels it",
            hint="leave it out, or name [[task.teachers]] for a task that takes them",
        )


def video_names(config: Config, data: Path, *, validation: bool = False) -> tuple[str, ...]:
    """Names of all that training draws from and that has more than one frame: a tracker must not be judged on it.

    Args:
        config: of the run.
        data: the folder that the configured paths are below.
        validation: name the held-out videos instead, which choose the weights that are kept.

    Raises:
        ArtifactError: a folder is damaged.
    """
    skip, only = _share(config, validation)
    names = {
        sequence.name
        for entry in config.data.sources
        for sequence in _open_sequences(data / entry.path, skip, only)
        if len(sequence) > 1
    }
    return tuple(sorted(names))


def _require_named(config: Config, data: Path) -> None:
    """A misspelt name would hold nothing out, and its video would be trained on."""
    held = [one for path in {entry.path for entry in config.data.sources} for one in _held_out(data / path, config)]
    found = {name for sequence in held for name in names_of(sequence.name)}
    missing = [name for name in config.data.validation if name not in found]
    if missing:
        raise UsageError(
            f"no source has the held-out {', '.join(missing)}", hint="check the names in the configuration, and --data"
        )


def _holding_out(config: Config, data: Path) -> tuple[SourceConfig, ...]:
    """The sources with held-out videos; every source of videos where none has one, so that opening it says so."""
    videos = tuple(entry for entry in config.data.sources if entry.kind in ("videos", "masks"))
    held = tuple(entry for entry in videos if _held_out(data / entry.path, config))
    return held or videos


def _share(config: Config, validation: bool) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """The names to skip and, unless it is None, the only ones to take: for validation or for training."""
    return ((), config.data.validation) if validation else (config.data.validation, None)


def _held_out(root: Path, config: Config) -> list[Sequence]:
    return _open_sequences(root, (), config.data.validation)


def _open(entry: SourceConfig, config: Config, data: Path, *, validation: bool) -> Source:
    root = data / entry.path
    if not root.is_dir():
        raise ArtifactError(f"no such data folder: {root}", hint="--data FOLDER, see the configuration's sources")
    skip, only = _share(config, validation)
    if entry.kind in ("videos", "masks", "composites"):
        videos = Videos(root, skip=skip, only=only, frame_gap=config.data.frame_gap)
        return Composites(videos, data / entry.backgrounds) if entry.kind == "composites" else videos
    if entry.kind == "images":
        return Images(root, skip=skip)
    if entry.kind == PATCHES:
        return Patches(root, skip=skip, frame_gap=config.data.frame_gap)
    raise UsageError(f"unknown kind of source {entry.kind!r}", hint="videos, masks, composites, images or patches")


def _cached(read: Callable[[Path], Array]) -> Callable[[Path], Array]:
    """Keep what *read* returns, the least recently used dropped once the bytes do not fit; for any thread."""
    cache = cachetools.LRUCache[Path, Array](_CACHE_BYTES, getsizeof=lambda image: int(image.nbytes))
    return cachetools.cached(cache, lock=threading.Lock())(read)


_read, _read_mask = _cached(read_frame), _cached(read_mask)


def _open_sequences(root: Path, skip: tuple[str, ...], only: tuple[str, ...] | None) -> list[Sequence]:
    """The sequences below *root* but those in a folder that is to be skipped."""

    def wanted(name: str) -> bool:
        names = names_of(name)
        return names.isdisjoint(skip) and (only is None or not names.isdisjoint(only))

    try:
        return open_sequences(root, wanted)
    except UsageError as error:
        raise ArtifactError(error.problem, hint=error.hint) from error


def _labelled(path: Path, box: BoundingBox) -> Labelled:
    return Labelled(_read(path), box, shows=frozenset({path.parent}))


def _origin(sequence: Sequence) -> Path:
    """What all views of one object have in common: the folder of a video, or the only image."""
    return sequence.images[0].parent if len(sequence) > 1 else sequence.images[0]


def _usable(sequence: Sequence) -> list[LabelledPath]:
    """The frames of a sequence whose box is large enough to see and no sliver: the rest teaches nothing."""
    views = [(sequence.images[index], box) for index, box in sequence.boxes()]
    return [(path, box) for path, box in views if _teaches(min(box.width, box.height), max(box.width, box.height))]


def _teaches(shorter: float, longer: float) -> bool:
    return shorter >= _MIN_SIDE_PX and longer <= _MAX_ASPECT * shorter


def _two_frames(rng: np.random.Generator, count: int, gap: int) -> tuple[int, int]:
    first = int(rng.integers(count))
    return first, int(rng.integers(max(0, first - gap), min(count, first + gap + 1)))


def _require(found: object, root: Path, problem: str) -> None:
    if not found:
        raise ArtifactError(f"{root}: {problem}", hint="check --data and the configuration")
