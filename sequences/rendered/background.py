"""Textures out of a seeded generator, so that a clip needs nobody's pictures."""

from __future__ import annotations

import cv2
import numpy as np

from siamtrt import Array

_COARSEST_CELLS = 3


def clouds(rng: np.random.Generator, height_px: int, width_px: int, octaves: int) -> Array:
    """Smooth noise of several scales, each half as strong as the one before.

    Returns:
        height x width float32 with values from 0 to 1.
    """
    total = np.zeros((height_px, width_px), np.float32)
    for octave in range(octaves):
        cells = _COARSEST_CELLS * 2**octave
        grid = rng.random((cells, cells * width_px // height_px + 1), np.float32)
        total += cv2.resize(grid, (width_px, height_px), interpolation=cv2.INTER_CUBIC) / 2**octave
    low, high = float(total.min()), float(total.max())
    return (total - low) / (high - low)


def coloured(field: Array, dark: Array, bright: Array) -> Array:
    """Map 0..1 to a line between two BGR colours: HxWx3 float32, 0..255."""
    mixed: Array = dark + field[..., None] * (bright - dark)
    return mixed


def ground(rng: np.random.Generator, height_px: int, width_px: int) -> Array:
    """A landscape seen from above: two soils in patches, with paler blobs of many sizes on it.

    Returns:
        height x width x 3 float32, BGR, 0..255.
    """
    colours = rng.uniform(40, 190, (4, 3)).astype(np.float32)
    patches = clouds(rng, height_px, width_px, 3)[..., None]
    first = coloured(clouds(rng, height_px, width_px, 8), colours[0], colours[1])
    second = coloured(clouds(rng, height_px, width_px, 7), colours[2], colours[3])
    weight = np.clip((patches - 0.4) * 5, 0, 1)
    image: Array = np.ascontiguousarray(first * weight + second * (1 - weight))
    for _ in range(width_px * height_px // 12_000):
        centre = (int(rng.integers(width_px)), int(rng.integers(height_px)))
        axes = (int(rng.integers(4, 28)), int(rng.integers(4, 28)))
        colour = tuple(float(value) for value in rng.uniform(30, 220, 3))
        cv2.ellipse(image, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (0, 0), 1.0)
