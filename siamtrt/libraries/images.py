"""The images of a folder, in the order they were taken. Import it by name: it needs OpenCV."""

from __future__ import annotations

import re
from pathlib import Path
from typing import List, Optional, Tuple

import cv2

from siamtrt.tensors import Array

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


def images_of(folder: Path) -> List[Path]:
    """The image files of *folder* by the numbers in their names, ``2.jpg`` before ``10.jpg``; hidden ones are left out.

    Those are half-written images, and what macOS leaves in archives.
    """
    images = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
    return sorted(images, key=_by_numbers)


def read_image(path: Path) -> Optional[Array]:
    """Read *path* as HxWx3 uint8, BGR; None where it is no readable image, or larger than OpenCV agrees to read."""
    try:
        return cv2.imread(str(path), cv2.IMREAD_COLOR)
    except cv2.error:
        return None


def _by_numbers(path: Path) -> List[Tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]
