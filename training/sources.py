"""Where labelled images come from: one plain class a kind of folder."""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from siamtrt import Array, ArtifactError, BoundingBox, UsageError
from siamtrt.libraries.images import images_of, read_image
from training.config import Config, SourceConfig

_MIN_SIDE_PX = 8.0
_MAX_ASPECT = 8.0
_CACHED_IMAGES = 6000
_PATCH_SHARES, _PATCH_STRETCH = (0.1, 0.4), 0.6
_IMAGE_SUFFIXES = (".jpg", ".png")


@dataclass(frozen=True)
class Labelled:
    """An image (HxWx3 uint8, BGR) and the box of one object in it; not *known*, it is only where to look for it."""

    image: Array
    box: BoundingBox
    known: bool = True


class Source(Protocol):
    """Draws two views of one object."""

    def pair(self, rng: np.random.Generator) -> tuple[Labelled, Labelled]:
        """A template view and a search view."""


class Videos:
    """Folders ``NAME/{*.jpg or color/*.jpg, groundtruth.txt}`` with one x,y,w,h a frame.

    Args:
        root: the folder of the folders.
        skip: names left out.
        only: if given, the only names taken.
        frame_gap: largest distance between the two frames of a pair.

    Raises:
        ArtifactError: no video, an unreadable line, or fewer images than boxes.
    """

    def __init__(self, root: Path, *, skip: tuple[str, ...], only: tuple[str, ...] | None, frame_gap: int) -> None:
        self._gap = frame_gap
        self._videos = [
            usable
            for folder in _folders(root, skip, only)
            if len(usable := [entry for entry in _video(folder) if _usable(entry[1])]) > 1
        ]
        _require(self._videos, root, "no folder with groundtruth.txt and two usable boxes")

    def pair(self, rng: np.random.Generator) -> tuple[Labelled, Labelled]:
        """Two frames of one video."""
        video = self._videos[rng.integers(len(self._videos))]
        first, second = _two_frames(rng, len(video), self._gap)
        return _labelled(*video[first]), _labelled(*video[second])


class Masks:
    """Folders ``NAME/{*.jpg, *.png}`` with a mask of one object for each image (DAVIS); boxes come from the masks."""

    def __init__(self, root: Path, *, skip: tuple[str, ...], only: tuple[str, ...] | None, frame_gap: int) -> None:
        self._gap = frame_gap
        self._videos = [video for folder in _folders(root, skip, only) if len(video := _masked_video(folder)) > 1]
        _require(self._videos, root, "no folder with images and masks")

    def pair(self, rng: np.random.Generator) -> tuple[Labelled, Labelled]:
        """Two frames of one video."""
        (first, first_mask), (second, second_mask) = self.frames(rng)
        return Labelled(first, _extent(first_mask)), Labelled(second, _extent(second_mask))

    def frames(self, rng: np.random.Generator) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Two frames of one video, each an image and its mask (HxW bool)."""
        video = self._videos[rng.integers(len(self._videos))]
        first, second = _two_frames(rng, len(video), self._gap)
        return _masked(*video[first]), _masked(*video[second])


class Composites:
    """Objects cut out by their masks and put on other images, next to another object: exact boxes without end.

    Args:
        masks: where the objects come from.
        backgrounds: a folder of images.
    """

    def __init__(self, masks: Masks, backgrounds: Path) -> None:
        self._masks = masks
        self._backgrounds = sorted(path for path in backgrounds.rglob("*") if path.suffix in _IMAGE_SUFFIXES)
        _require(self._backgrounds, backgrounds, "no image")

    def pair(self, rng: np.random.Generator) -> tuple[Labelled, Labelled]:
        """Two views of one object on two backgrounds; on the second there is a second object."""
        first, second = self._masks.frames(rng)
        side = float(rng.uniform(48, 140))
        template = self._compose(rng, [first], [side])
        distractor = self._masks.frames(rng)[0]
        search = self._compose(rng, [distractor, second], [side * float(rng.uniform(0.7, 1.3)), side])
        return template, search

    def _compose(self, rng: np.random.Generator, objects: list[tuple[Array, Array]], sides: list[float]) -> Labelled:
        canvas = _read(self._backgrounds[rng.integers(len(self._backgrounds))]).copy()
        box = BoundingBox(0, 0, 1, 1)
        for (image, mask), side in zip(objects, sides, strict=True):
            box = _paste(rng, canvas, image, mask, side)
        return Labelled(canvas, box)


class Images:
    """A folder with ``boxes.json``: image name -> [x,y,w,h] or a list of such; both views show the same image."""

    def __init__(self, root: Path, *, skip: tuple[str, ...]) -> None:
        table = _boxes_table(root / "boxes.json")
        entries = [
            (root / name, BoundingBox(*(float(value) for value in box)))
            for name, boxes in sorted(table.items())
            if name.split("/")[0] not in skip
            for box in _as_list(boxes)
        ]
        for path, _ in entries:
            if not path.is_file():
                raise ArtifactError(f"{root}/boxes.json names {path.name}, which is not there", hint="remove its entry")
        self._entries = [entry for entry in entries if _usable(entry[1]) and min(entry[1].width, entry[1].height) > 16]
        _require(self._entries, root, "no usable box in boxes.json")

    def pair(self, rng: np.random.Generator) -> tuple[Labelled, Labelled]:
        """The same image twice; augmentation tells the views apart."""
        labelled = _labelled(*self._entries[rng.integers(len(self._entries))])
        return labelled, labelled


class Patches:
    """Any piece of a video as the object; where it is in another frame only a teacher can say.

    Args:
        root: folders of images.
        skip: names left out.
        frame_gap: largest distance between the two frames of a pair.
    """

    def __init__(self, root: Path, *, skip: tuple[str, ...], frame_gap: int) -> None:
        self._gap = frame_gap
        folders = [folder / "color" if (folder / "color").is_dir() else folder for folder in _folders(root, skip, None)]
        self._videos = [images for folder in folders if len(images := sorted(folder.glob("*.jpg"))) > 1]
        _require(self._videos, root, "no folder with two jpg images")

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
        return Labelled(image, box), Labelled(_read(video[second]), box, known=False)


def open_sources(config: Config, data: Path, *, validation: bool = False) -> list[tuple[Source, float]]:
    """The sources of a run with their shares, which sum to one.

    Args:
        config: of the run.
        data: the folder that the configured paths are below.
        validation: open the held-out videos instead of the others.

    Raises:
        UsageError: an unknown kind, or nothing to hold out.
        ArtifactError: a folder is empty or damaged.
    """
    chosen = [entry for entry in config.sources if not validation or _holds_out(entry, config, data)]
    if not chosen:
        raise UsageError(
            "no source has videos to hold out, which choose the weights that are kept",
            hint="add a source of the kind videos or masks",
        )
    opened = [(_open(entry, config, data, validation=validation), entry.weight) for entry in chosen]
    total = sum(weight for _, weight in opened)
    return [(source, weight / total) for source, weight in opened]


def _holds_out(entry: SourceConfig, config: Config, data: Path) -> bool:
    """Whether some of the held-out videos are of this source."""
    return entry.kind in ("videos", "masks") and any((data / entry.path / name).is_dir() for name in config.validation)


def _open(entry: SourceConfig, config: Config, data: Path, *, validation: bool) -> Source:
    root = data / entry.path
    if not root.is_dir():
        raise ArtifactError(f"no such data folder: {root}", hint="--data FOLDER, see the configuration's sources")
    skip, only = ((), config.validation) if validation else (config.validation, None)
    if entry.kind == "videos":
        return Videos(root, skip=skip, only=only, frame_gap=config.frame_gap)
    if entry.kind in ("masks", "composites"):
        masks = Masks(root, skip=skip, only=only, frame_gap=config.frame_gap)
        return masks if entry.kind == "masks" else Composites(masks, data / entry.backgrounds)
    if entry.kind == "images":
        return Images(root, skip=skip)
    if entry.kind == "patches":
        return Patches(root, skip=skip, frame_gap=config.frame_gap)
    raise UsageError(f"unknown kind of source {entry.kind!r}", hint="videos, masks, composites, images or patches")


@functools.lru_cache(maxsize=_CACHED_IMAGES)
def _read(path: Path) -> Array:
    image = read_image(path)
    if image is None:
        raise ArtifactError(f"{path} is not a readable image", hint="remove it, or its annotation")
    return image


@functools.lru_cache(maxsize=_CACHED_IMAGES)
def _read_mask(path: Path) -> Array:
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise ArtifactError(f"{path} is not a readable mask", hint="remove it and its image")
    return np.asarray(mask > 0)


def _folders(root: Path, skip: tuple[str, ...], only: tuple[str, ...] | None) -> list[Path]:
    folders = sorted(path for path in root.iterdir() if path.is_dir() and path.name not in skip)
    return folders if only is None else [path for path in folders if path.name in only]


def _video(folder: Path) -> list[tuple[Path, BoundingBox]]:
    truth = folder / "groundtruth.txt"
    if not truth.is_file():
        return []
    images = images_of(folder / "color" if (folder / "color").is_dir() else folder)
    lines = truth.read_text(encoding="utf-8").split()
    if len(images) < len(lines):
        raise ArtifactError(f"{folder} has {len(lines)} boxes but {len(images)} images", hint="remove the folder")
    try:
        boxes = [BoundingBox(*(float(field) for field in line.split(","))) for line in lines]
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"{truth} has a line that is not x,y,w,h: {error}") from error
    return list(zip(images, boxes, strict=False))


def _masked_video(folder: Path) -> list[tuple[Path, Path]]:
    pairs = [(image, image.with_suffix(".png")) for image in sorted(folder.glob("*.jpg"))]
    return [pair for pair in pairs if pair[1].is_file() and _usable(_extent(_read_mask(pair[1])))]


def _masked(image: Path, mask: Path) -> tuple[Array, Array]:
    return _read(image), _read_mask(mask)


def _labelled(path: Path, box: BoundingBox) -> Labelled:
    return Labelled(_read(path), box)


def _as_list(boxes: Any) -> list[list[float]]:
    """One box or a list of boxes, as a list of boxes."""
    return boxes if boxes and isinstance(boxes[0], list) else [boxes]


def _boxes_table(path: Path) -> dict[str, Any]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ArtifactError(f"cannot read {path}: {error}") from error
    return dict(table)


def _usable(box: BoundingBox) -> bool:
    """Large enough to see, not a sliver, finite: the rest teaches nothing."""
    sides = (box.width, box.height)
    return all(map(math.isfinite, (box.x, box.y, *sides))) and (
        min(sides) >= _MIN_SIDE_PX and max(sides) <= _MAX_ASPECT * min(sides)
    )


def _extent(mask: Array) -> BoundingBox:
    return BoundingBox(*map(float, cv2.boundingRect(mask.astype(np.uint8))))


def _two_frames(rng: np.random.Generator, count: int, gap: int) -> tuple[int, int]:
    first = int(rng.integers(count))
    return first, int(rng.integers(max(0, first - gap), min(count, first + gap + 1)))


def _paste(rng: np.random.Generator, canvas: Array, image: Array, mask: Array, side: float) -> BoundingBox:
    """Put the masked object on *canvas*, in place, scaled to a mean side of *side* pixels; return its box there."""
    extent = _extent(mask)
    scale = side / math.sqrt(extent.area)
    height, width = canvas.shape[:2]
    x = float(rng.uniform(0, max(1.0, width - extent.width * scale)))
    y = float(rng.uniform(0, max(1.0, height - extent.height * scale)))
    left, top = int(x), int(y)
    right = min(width, math.ceil(x + extent.width * scale) + 1)
    bottom = min(height, math.ceil(y + extent.height * scale) + 1)
    move = np.array([[scale, 0, x - left - extent.x * scale], [0, scale, y - top - extent.y * scale]])
    size = (right - left, bottom - top)
    opacity = cv2.warpAffine(mask.astype(np.float32), move, size, flags=cv2.INTER_LINEAR)
    moved = cv2.warpAffine(image, move, size, flags=cv2.INTER_LINEAR)
    under = canvas[top:bottom, left:right]
    blended = under + opacity[..., None] * (moved.astype(np.float32) - under)
    under[:] = np.clip(blended, 0, 255).astype(np.uint8)
    return BoundingBox(x, y, extent.width * scale, extent.height * scale)


def _require(found: object, root: Path, problem: str) -> None:
    if not found:
        raise ArtifactError(f"{root}: {problem}", hint="check --data and the configuration")
