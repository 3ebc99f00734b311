"""A text file of truth beside images: what the layouts of VOT, OTB and GOT-10k have in common."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from sequences.sequence import Region, Sequence
from siamtrt import ArtifactError
from siamtrt.libraries.images import images_of

TRUTH = "groundtruth.txt"
_BETWEEN_NUMBERS = re.compile(r"\s*,\s*|\s+")


def read_sequence(name: str, truth: Path, folder: Path) -> Sequence:
    """Read the sequence whose truth is the file *truth* and whose images are those of *folder*.

    Raises:
        ArtifactError: there is no image, a line is no region, or there is neither one line nor one for each image.
    """
    return matched(name, truth, images_of(folder), read_regions(truth))


def matched(name: str, truth: Path, images: list[Path], regions: tuple[Region, ...]) -> Sequence:
    """Put images and truth together, see :func:`read_sequence`."""
    if not images:
        raise ArtifactError(f"{truth.parent} holds no image", hint="images lie in color, img, or beside the truth")
    if len(regions) not in (1, len(images)):
        raise ArtifactError(
            f"{truth.parent} has {len(images)} images for {len(regions)} lines of truth in {truth.name}",
            hint="one line a frame, or the first alone to have the rest tracked; fetch a damaged sequence anew",
        )
    return Sequence(name, tuple(images), regions)


def read_regions(path: Path) -> tuple[Region, ...]:
    """Read a region a line; numbers are parted by commas, tabs or spaces.

    Raises:
        ArtifactError: the file cannot be read, or a line is not 4 or 8 numbers.
    """
    try:
        lines = path.read_text(encoding="utf-8").strip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"cannot read {path}: {error}", hint="fetch it anew") from error
    return tuple(region(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1))


def region(value: Any, where: str) -> Region:
    """Make a region of 4 or 8 numbers, a list or a line of text; all NaN where one of them is not finite.

    Raises:
        ArtifactError: they are not 4 or 8 numbers; the message begins with *where*.
    """
    try:
        fields = _BETWEEN_NUMBERS.split(value.strip()) if isinstance(value, str) else value
        numbers = tuple(float(field) for field in fields)
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"{where}: {value!r} is not numbers", hint="mend the annotation") from error
    if len(numbers) not in (4, 8):
        raise ArtifactError(f"{where}: a region is 4 or 8 numbers, not {value!r}", hint="mend the annotation")
    return numbers if all(map(math.isfinite, numbers)) else (math.nan,) * len(numbers)
