"""The layout of our DAVIS folders: ``NAME/00001.jpg`` with the mask of one object, ``NAME/00001.png``."""

from __future__ import annotations

import math
from dataclasses import astuple
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from sequences.sequence import Readers, Region, Sequence
from siamtrt import Array, ArtifactError, BoundingBox
from siamtrt.libraries.images import images_of


def find(folder: Path, name: str) -> Readers:
    """The sequence of *folder*, called *name*; none where no image has a mask."""
    images = [path for path in images_of(folder) if path.suffix != ".png" and path.with_suffix(".png").is_file()]
    return {name: partial(_read, name, images)} if images else {}


def read_mask(image: Path) -> Array:
    """Read the mask beside *image*: HxW bool.

    Raises:
        ArtifactError: there is none, or it is not readable.
    """
    path = image.with_suffix(".png")
    mask = None if path == image else cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise ArtifactError(f"{image} has no readable mask {path.name} beside it", hint="remove the image")
    return np.asarray(mask > 0)


def extent(mask: Array) -> BoundingBox:
    """The box around the object of a mask; empty where there is none."""
    return BoundingBox(*map(float, cv2.boundingRect(mask.astype(np.uint8))))


def _read(name: str, images: list[Path]) -> Sequence:
    return Sequence(name, tuple(images), tuple(_region(extent(read_mask(image))) for image in images))


def _region(box: BoundingBox) -> Region:
    return astuple(box) if box.area else (math.nan,) * 4
