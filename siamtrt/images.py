"""The images of a folder, in the order they were taken."""

from __future__ import annotations

import re
from pathlib import Path
from typing import List, Tuple

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


def images_of(folder: Path) -> List[Path]:
    """The image files of *folder* by the numbers in their names, ``2.jpg`` before ``10.jpg``; hidden ones are left out.

    Those are half-written images, and what macOS leaves in archives.
    """
    images = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
    return sorted(images, key=_by_numbers)


def _by_numbers(path: Path) -> List[Tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]
