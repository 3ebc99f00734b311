"""Clips put together from real pictures: objects cut out by their masks on a moving photograph, with known truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import cv2
import numpy as np

from sequences.rendered.scene import Shot
from siamtrt import Array, ArtifactError, BoundingBox, UsageError
from siamtrt.libraries.images import read_image

WIDTH_PX, HEIGHT_PX = 480, 360
_MARGIN_PX = 90  # the camera never looks past the photograph
_OPAQUE = 0.5
_LEAST_SIDE_PX = 12
_SMALLEST_PX, _LARGEST_PX = 42.0, 120.0  # mean side of the followed object
SAME_KIND = 0.5
_RIVAL_SHARE, _POST_SHARE, _BLUR_SHARE, _LIGHT_SHARE = 0.75, 0.6, 0.5, 0.5


@dataclass(frozen=True)
class Material:
    """What clips are put together from.

    Attributes:
        videos: of each object, the images and the masks of its frames, in order.
        photographs: to put them on.
    """

    videos: Tuple[Tuple[Tuple[Path, Path], ...], ...]
    photographs: Tuple[Path, ...]

    @property
    def names(self) -> Tuple[str, ...]:
        """Names of the objects."""
        return tuple(video[0][0].parent.name for video in self.videos)


@dataclass(frozen=True)
class _Cutout:
    """An object without its surroundings: HxWx3 float32 BGR and HxW float32 opacity 0..1."""

    colour: Array
    opacity: Array


@dataclass(frozen=True)
class _Wave:
    """A smooth path from 0 to 1 and back: a sum of two sines of its own phase and pace."""

    pace: float
    phase: float

    def at(self, time: float) -> float:
        """The value at *time* (0..1 over the clip), 0..1."""
        slow, fast = (math.sin(2 * math.pi * self.pace * factor * time + self.phase * factor) for factor in (1.0, 2.3))
        return 0.5 + 0.35 * slow + 0.15 * fast


def material(objects: Path, photographs: Path, only: Tuple[str, ...] = (), skip: Tuple[str, ...] = ()) -> Material:
    """Find objects and photographs.

    Args:
        objects: folders ``NAME/{*.jpg, *.png}`` with a mask for each image.
        photographs: a folder of jpg images.
        only: the names to take, all when empty.
        skip: names not to take.

    Raises:
        UsageError: no such folder, or one of the names is not in it.
        ArtifactError: there is no object or no photograph.
    """
    if not objects.is_dir():
        raise UsageError(f"there is no folder {objects}", hint="--objects FOLDER of NAME/*.jpg with NAME/*.png")
    every = [path for path in sorted(objects.iterdir()) if path.is_dir()]
    unknown = sorted({*only, *skip} - {path.name for path in every})
    if unknown:  # a misspelt name would put a held-out object into the clips
        raise UsageError(f"{objects} has no object {', '.join(unknown)}", hint="check --only and --skip")
    folders = [path for path in every if path.name not in skip and (not only or path.name in only)]
    videos = [
        tuple(
            (image, image.with_suffix(".png"))
            for image in sorted(folder.glob("*.jpg"))
            if image.with_suffix(".png").is_file()
        )
        for folder in folders
    ]
    pictures = tuple(sorted(photographs.glob("*.jpg")))
    filled = tuple(video for video in videos if video)
    if not filled or not pictures:
        raise ArtifactError(
            f"{objects} holds no masked object, or {photographs} no photograph", hint="NAME/*.jpg with NAME/*.png"
        )
    return Material(filled, pictures)


def collage(found: Material, seed: int, count: int, same_kind: float = SAME_KIND) -> Iterator[Shot]:
    """Put *count* frames together; the same seed gives the same clip of the same material.

    The object moves, plays its own frames forwards and backwards, grows and shrinks; a rival passes; something may pass
    in front; the camera pans, zooms and shakes; light and sharpness change in some.

    Args:
        found: objects and photographs.
        seed: of everything drawn.
        count: how many frames.
        same_kind: share of rivals that are surely another part of the object's own video; the rest are of any video.
    """
    rng = np.random.default_rng(seed)
    hero = _Actor(rng, found.videos[rng.integers(len(found.videos))])
    same = rng.random() < same_kind
    other = hero.video if same else found.videos[rng.integers(len(found.videos))]
    rival = _Actor(rng, other, side_px=hero.side_px * float(rng.uniform(0.8, 1.2)))
    has_rival = rng.random() < _RIVAL_SHARE
    camera, post, weather = _Camera(rng, _photograph(rng, found)), _Post(rng, _photograph(rng, found)), _Weather(rng)
    for index in range(count):
        time = index / max(1, count - 1)
        image = camera.view(time)
        if has_rival:
            rival.paste(image, index, time)
        mask = hero.paste(image, index, time)
        extent = _extent(mask)
        occluded = post.pass_by(image, extent, time)
        yield Shot(weather.over(rng, image, time), extent, occluded, weather.changes)


class _Actor:
    """An object on its way through the clip."""

    def __init__(self, rng: np.random.Generator, video: Tuple[Tuple[Path, Path], ...], side_px: Optional[float] = None):
        self.video = video
        self.side_px = float(rng.uniform(_SMALLEST_PX, _LARGEST_PX)) if side_px is None else side_px
        self._first, self._mirrored = int(rng.integers(len(video))), bool(rng.random() < 0.5)
        self._across, self._down, self._size = (_wave(rng, pace) for pace in (1.0, 0.9, 1.0))
        self._growth = float(rng.uniform(0.1, 0.45))
        self._turn = float(rng.uniform(0, 12))

    def paste(self, image: Array, index: int, time: float) -> Array:
        """Draw the object into *image*, in place, and return its opacity there, HxW float32."""
        cutout = _cut(*self.video[_to_and_fro(self._first + index, len(self.video))])
        height, width = cutout.opacity.shape
        scale = self.side_px * (1 + self._growth * (2 * self._size.at(time) - 1)) / math.sqrt(height * width)
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), self._turn * (2 * self._size.at(time) - 1), scale)
        if self._mirrored:
            turn = turn @ np.array([[-1, 0, width], [0, 1, 0], [0, 0, 1]], np.float64)
        turn[:, 2] += (WIDTH_PX * self._across.at(time) - width / 2, HEIGHT_PX * self._down.at(time) - height / 2)
        opacity: Array = cv2.warpAffine(cutout.opacity, turn, (WIDTH_PX, HEIGHT_PX), flags=cv2.INTER_AREA)
        colour = cv2.warpAffine(cutout.colour, turn, (WIDTH_PX, HEIGHT_PX), flags=cv2.INTER_LINEAR)
        image += opacity[..., None] * (colour - image)
        return opacity


class _Camera:
    """A view that wanders over a photograph."""

    def __init__(self, rng: np.random.Generator, photograph: Array) -> None:
        size = (WIDTH_PX + 2 * _MARGIN_PX, HEIGHT_PX + 2 * _MARGIN_PX)
        self._land = cv2.resize(photograph, size, interpolation=cv2.INTER_CUBIC).astype(np.float32)
        self._across, self._down, self._zoom = (_wave(rng, pace) for pace in (1.2, 1.1, 0.8))
        self._shake_px = float(rng.uniform(0, 2.5))
        self._rng = np.random.default_rng(rng.integers(2**31))

    def view(self, time: float) -> Array:
        """HxWx3 float32."""
        zoom = 1 + 0.25 * self._zoom.at(time)
        shake = self._rng.normal(0, self._shake_px, 2)
        x = 2 * _MARGIN_PX * self._across.at(time) + shake[0]
        y = 2 * _MARGIN_PX * self._down.at(time) + shake[1]
        move = np.array([[zoom, 0, -x * zoom], [0, zoom, -y * zoom]])
        view: Array = cv2.warpAffine(self._land, move, (WIDTH_PX, HEIGHT_PX), borderMode=cv2.BORDER_REFLECT)
        return view


class _Post:
    """A strip of another photograph that passes in front of the object, hiding up to most of it."""

    def __init__(self, rng: np.random.Generator, photograph: Array) -> None:
        self._raised = rng.random() < _POST_SHARE
        self._width_px = int(rng.integers(18, 60))
        self._strip = cv2.resize(photograph, (self._width_px, HEIGHT_PX)).astype(np.float32)
        self._start, self._lasts = float(rng.uniform(0.2, 0.6)), float(rng.uniform(0.12, 0.3))

    def pass_by(self, image: Array, extent: BoundingBox, time: float) -> bool:
        """Draw it over the object, in place, while it passes; tell whether it hides part of the object."""
        across = (time - self._start) / self._lasts
        if not self._raised or not 0 < across < 1:
            return False
        left = int(extent.x - self._width_px + across * (extent.width + self._width_px))
        first, last = max(0, left), min(WIDTH_PX, left + self._width_px)
        if first >= last:
            return False
        image[:, first:last] = self._strip[:, first - left : last - left]
        return first < extent.x + extent.width and last > extent.x


class _Weather:
    """Light and sharpness over the clip, and the noise of a sensor."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.changes = bool(rng.random() < _LIGHT_SHARE)
        self._light, self._sharpness = _wave(rng, 1.0), _wave(rng, 2.0)
        self._blur_px = int(rng.integers(3, 12)) if rng.random() < _BLUR_SHARE else 0
        self._angle = float(rng.uniform(0, math.pi))

    def over(self, rng: np.random.Generator, image: Array, time: float) -> Array:
        """The frame as a camera would give it, HxWx3 uint8."""
        light = 1 - 0.45 * self._light.at(time) if self.changes else 1.0
        reach = round(self._blur_px * self._sharpness.at(time))
        seen = cv2.filter2D(image, -1, _streak(reach, self._angle)) if reach > 1 else image
        noisy = seen * light + rng.normal(0, 2.0, seen.shape).astype(np.float32)
        return np.asarray(np.clip(noisy, 0, 255), np.uint8)


def _wave(rng: np.random.Generator, pace: float) -> _Wave:
    return _Wave(float(rng.uniform(0.3, pace)), float(rng.uniform(0, 2 * math.pi)))


def _streak(length: int, angle: float) -> Array:
    """The kernel of a motion blur: a line of *length* pixels that sums to one."""
    side = length | 1
    kernel = np.zeros((side, side), np.float32)
    middle, reach = side // 2, (side // 2) * np.array([math.cos(angle), math.sin(angle)])
    ends: List[Tuple[int, int]] = [
        (round(middle + sign * reach[0]), round(middle + sign * reach[1])) for sign in (-1, 1)
    ]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    streak: Array = kernel / kernel.sum()
    return streak


def _to_and_fro(index: int, count: int) -> int:
    """The index that runs 0, 1, ... count - 1 and back, for ever."""
    place = index % max(1, 2 * (count - 1))
    return min(place, max(0, 2 * (count - 1) - place))


def _photograph(rng: np.random.Generator, found: Material) -> Array:
    return _image(found.photographs[rng.integers(len(found.photographs))])


def _cut(image_path: Path, mask_path: Path) -> _Cutout:
    image, mask = _image(image_path), cv2.imread(str(mask_path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise ArtifactError(f"{mask_path} is not a readable mask", hint="remove it and its image")
    x, y, width, height = cv2.boundingRect((mask > 0).astype(np.uint8))
    if width < _LEAST_SIDE_PX or height < _LEAST_SIDE_PX:
        return _Cutout(np.zeros((64, 64, 3), np.float32), np.zeros((64, 64), np.float32))
    inside = (slice(y, y + height), slice(x, x + width))
    return _Cutout(image[inside].astype(np.float32), (mask[inside] > 0).astype(np.float32))


def _image(path: Path) -> Array:
    image = read_image(path)
    if image is None:
        raise ArtifactError(f"{path} is not a readable image", hint="remove it")
    return image


def _extent(mask: Array) -> BoundingBox:
    x, y, width, height = cv2.boundingRect((mask > _OPAQUE).astype(np.uint8))
    return BoundingBox(float(x), float(y), float(width), float(height))
