"""Sequences on disk: the layout of the VOT toolkit, and plain folders as OTB's and UAV123's.

Both are ``NAME/groundtruth.txt`` beside images, in ``NAME/color`` or in ``NAME``. ``list.txt`` names the sequences
where it is there; else every folder with a ``groundtruth.txt`` is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Tuple

import cv2
import numpy as np

from siamtrt import Array, ArtifactError, BoundingBox, UsageError

_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Sequence:
    """One video with its truth; images are read when they are asked for.

    Attributes:
        name: of the folder.
        images: one a frame.
        regions: one a frame, 4 numbers (x, y, width, height) or 8 (corners), in pixels.
    """

    name: str
    images: Tuple[Path, ...]
    regions: Tuple[Tuple[float, ...], ...]

    def __len__(self) -> int:
        return len(self.images)

    def frame(self, index: int) -> Array:
        """Read an image: HxWx3 uint8, BGR.

        Raises:
            ArtifactError: it is not readable.
        """
        frame = cv2.imread(str(self.images[index]), cv2.IMREAD_COLOR)
        if frame is None:
            raise ArtifactError(f"{self.images[index]} is not a readable image", hint="fetch the sequence anew")
        return frame

    def start_box(self, index: int) -> BoundingBox:
        """The box a tracker is started with in frame *index*."""
        region = self.regions[index]
        return BoundingBox.from_polygon(region) if len(region) == 8 else BoundingBox(*region)

    def polygon(self, index: int) -> Array:
        """The region as the running protocol sees it: 4x2 corners; a box ends on its last pixel, as in PySOT."""
        region = self.regions[index]
        if len(region) == 8:
            return np.array(region).reshape(4, 2)
        x, y, width, height = region
        right, bottom = x + width - 1, y + height - 1
        return np.array([(x, y), (x, bottom), (right, bottom), (right, y)])


def load_sequences(root: Path, names: Tuple[str, ...] = ()) -> List[Sequence]:
    """Open the sequences below *root*, or only those called *names*.

    Raises:
        UsageError: there is none, or not one of the names.
        ArtifactError: images are missing, or a line of the truth is not 4 or 8 finite numbers.
    """
    listed = root / "list.txt"
    if listed.is_file():
        found = listed.read_text(encoding="utf-8").split()
    else:
        found = sorted(path.parent.name for path in root.glob("*/groundtruth.txt"))
    if not found:
        raise UsageError(f"{root} holds no sequence", hint="a folder of NAME/groundtruth.txt with the images beside")
    missing = [name for name in names if name not in found]
    if missing:
        raise UsageError(f"{root} has no sequence {', '.join(missing)}", hint=f"it has {', '.join(found[:8])}")
    return [load_sequence(root / name) for name in found if not names or name in names]


def load_sequence(folder: Path) -> Sequence:
    """Open one sequence.

    Raises:
        ArtifactError: see :func:`load_sequences`.
    """
    truth = folder / "groundtruth.txt"
    try:
        lines = truth.read_text(encoding="utf-8").split()
    except OSError as error:
        raise ArtifactError(f"cannot read {truth}: {error.strerror}") from error
    inner = folder / "color"
    images = sorted(
        path for path in (inner if inner.is_dir() else folder).iterdir() if path.suffix.lower() in _IMAGE_SUFFIXES
    )
    if len(images) != len(lines):
        raise ArtifactError(
            f"{folder} has {len(images)} images for {len(lines)} lines of truth", hint="fetch the sequence anew"
        )
    regions = tuple(_region(line, f"{truth}, line {number}") for number, line in enumerate(lines, start=1))
    return Sequence(folder.name, tuple(images), regions)


def _region(line: str, where: str) -> Tuple[float, ...]:
    try:
        numbers = tuple(float(field) for field in line.split(","))
    except ValueError as error:
        raise ArtifactError(f"{where}: {line!r} is not numbers", hint="mend the annotation") from error
    if len(numbers) not in (4, 8) or not np.isfinite(numbers).all():
        raise ArtifactError(f"{where}: a region is 4 or 8 finite numbers, not {line!r}", hint="mend the annotation")
    return numbers
