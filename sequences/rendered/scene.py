"""A short scene with known truth: an object, its look-alike, a post in front, a moving camera, changing light."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Iterator

import cv2
import numpy as np

from sequences.rendered.background import clouds, coloured, ground
from siamtrt import Array, BoundingBox

WIDTH_PX, HEIGHT_PX = 640, 480
_MARGIN_PX = 160  # the camera never looks past the painted ground
_SPRITE_PX = 128
_OPAQUE = 0.5


@dataclass(frozen=True)
class Shot:
    """One frame of the scene.

    Attributes:
        image: 480x640x3 uint8, BGR.
        truth: the object's extent, hidden parts included.
        occluded: part of the object is hidden.
        light_changed: the light differs from that of the first frame.
    """

    image: Array
    truth: BoundingBox
    occluded: bool
    light_changed: bool


@dataclass(frozen=True)
class _Sprite:
    """A textured thing to paste: HxWx3 float32 BGR and HxW float32 opacity 0..1."""

    colour: Array
    opacity: Array


@dataclass(frozen=True)
class _Pose:
    """Where a sprite lies in the frame: centre in pixels, scale, angle in degrees."""

    x: float
    y: float
    scale: float
    angle_deg: float


def shots(seed: int, count: int) -> Iterator[Shot]:
    """Render *count* frames; the same seed gives the same scene.

    The object sways and turns, grows to 1.5 of its size and shrinks again; in the middle third a post hides up to half
    of it; a look-alike in other colours passes close by; in the last third the light dims to 60 percent and comes back.
    """
    rng = np.random.default_rng(seed)
    land = ground(rng, HEIGHT_PX + 2 * _MARGIN_PX, WIDTH_PX + 2 * _MARGIN_PX)
    outline = _outline(rng)
    hero, rival = _sprite(rng, outline), _sprite(rng, outline)
    post = coloured(clouds(rng, HEIGHT_PX, 48, 5), *rng.uniform(30, 200, (2, 3)).astype(np.float32))
    phase = float(rng.uniform(0, 2 * math.pi))
    for index in range(count):
        time = index / max(1, count - 1)
        image = _camera(land, time, phase)
        _paste(image, rival, _rival_pose(time, phase))
        mask = _paste(image, hero, _hero_pose(time, phase))
        occluded = _raise_post(image, post, mask, time)
        light = 1 - 0.4 * math.sin(math.pi * (time - 0.7) / 0.3) if time > 0.7 else 1.0
        noisy = image * light + rng.normal(0, 2.5, image.shape).astype(np.float32)
        yield Shot(np.clip(noisy, 0, 255).astype(np.uint8), _extent(mask), occluded, time > 0.7)


def _hero_pose(time: float, phase: float) -> _Pose:
    x = WIDTH_PX * (0.5 + 0.24 * math.sin(2 * math.pi * time * 1.3 + phase))
    y = HEIGHT_PX * (0.5 + 0.20 * math.sin(2 * math.pi * time * 1.9))
    return _Pose(x, y, 0.7 + 0.35 * math.sin(math.pi * time) ** 2, 18 * math.sin(2 * math.pi * time * 1.5))


def _rival_pose(time: float, phase: float) -> _Pose:
    hero = _hero_pose(time, phase)
    distance = 105 + 160 * abs(time - 0.25)
    return _Pose(hero.x + distance, hero.y - 0.4 * distance, 0.75, 25 * math.cos(2 * math.pi * time))


def _camera(land: Array, time: float, phase: float) -> Array:
    """Cut the view out of the ground at sub-pixel positions."""
    x = _MARGIN_PX * (1 + 0.9 * math.sin(2 * math.pi * time * 0.8 + phase))
    y = _MARGIN_PX * (1 + 0.7 * math.cos(2 * math.pi * time * 0.6 + phase))
    shift = np.array([[1, 0, -x], [0, 1, -y]], np.float32)
    view: Array = cv2.warpAffine(land, shift, (WIDTH_PX, HEIGHT_PX))
    return view


def _outline(rng: np.random.Generator) -> Array:
    """A closed wavy shape as opacity, 128x128 float32, one pixel soft at its edge."""
    angles = np.linspace(0, 2 * math.pi, 90, endpoint=False)
    lobes, strength = int(rng.integers(3, 6)), float(rng.uniform(0.10, 0.2))
    radius = 44 * (1 + strength * np.sin(lobes * angles))
    points = np.stack([radius * np.cos(angles) * rng.uniform(0.75, 1), radius * np.sin(angles)], axis=1)
    opacity = np.zeros((_SPRITE_PX, _SPRITE_PX), np.float32)
    cv2.fillPoly(opacity, [(points + _SPRITE_PX / 2).astype(np.int32)], 1.0)
    return cv2.GaussianBlur(opacity, (0, 0), 1.0)


def _sprite(rng: np.random.Generator, opacity: Array) -> _Sprite:
    """Give the outline a pattern of stripes and blotches in two strong colours."""
    angle = float(rng.uniform(0, math.pi))
    rows, columns = np.mgrid[0:_SPRITE_PX, 0:_SPRITE_PX]
    stripes = 0.5 + 0.5 * np.sin((rows * math.sin(angle) + columns * math.cos(angle)) * float(rng.uniform(0.2, 0.4)))
    field = 0.6 * stripes.astype(np.float32) + 0.4 * clouds(rng, _SPRITE_PX, _SPRITE_PX, 4)
    dark = rng.uniform(0, 90, 3).astype(np.float32)
    bright = rng.uniform(150, 255, 3).astype(np.float32)
    bright[int(rng.integers(3))] *= 0.3
    return _Sprite(coloured(field, dark, bright), opacity)


def _paste(image: Array, sprite: _Sprite, pose: _Pose) -> Array:
    """Draw the sprite into *image*, in place, and return its opacity there, HxW float32."""
    turn = cv2.getRotationMatrix2D((_SPRITE_PX / 2, _SPRITE_PX / 2), pose.angle_deg, pose.scale)
    turn[:, 2] += np.array([pose.x - _SPRITE_PX / 2, pose.y - _SPRITE_PX / 2])
    size = (image.shape[1], image.shape[0])
    opacity: Array = cv2.warpAffine(sprite.opacity, turn, size)
    colour = cv2.warpAffine(sprite.colour, turn, size)
    image += opacity[..., None] * (colour - image)
    return opacity


def _raise_post(image: Array, post: Array, mask: Array, time: float) -> bool:
    """Draw a post that passes the object from left to right in the middle third; tell whether it hides part of it."""
    if not 0.38 < time < 0.62:
        return False
    extent = _extent(mask)
    across = (time - 0.38) / 0.24
    left = int(extent.x - post.shape[1] + across * (extent.width + post.shape[1]))
    inside = slice(max(0, left), min(WIDTH_PX, left + post.shape[1]))
    image[:, inside] = post[:, inside.start - left : inside.stop - left]
    return bool((mask[:, inside] > _OPAQUE).any())


def _extent(mask: Array) -> BoundingBox:
    x, y, width, height = cv2.boundingRect((mask > _OPAQUE).astype(np.uint8))
    return BoundingBox(float(x), float(y), float(width), float(height))
