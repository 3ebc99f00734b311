"""Sequences on disk: the layout of the VOT toolkit, and plain folders as those of OTB and GOT-10k.

All are ``NAME/groundtruth.txt`` (OTB: ``groundtruth_rect.txt``) beside images, in ``NAME/color``, ``NAME/img`` or
``NAME``. ``list.txt`` names the sequences where it is there; else every folder with such a file is one. Numbers are
parted by commas, tabs or spaces. A folder with two targets (OTB: ``groundtruth_rect.1.txt``, ``.2.txt``) is two
sequences, ``NAME-1`` and ``NAME-2``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np

from siamtrt import Array, ArtifactError, BoundingBox, UsageError
from siamtrt.files import read_json
from siamtrt.libraries.images import images_of, read_image

_IMAGE_FOLDERS = ("color", "img")
_TRUTHS = ("groundtruth.txt", "groundtruth_rect.txt")
_NUMBERED_TRUTHS = "groundtruth_rect.[1-9].txt"
_BETWEEN_NUMBERS = re.compile(r"\s*,\s*|\s+")
_OTB_RANGES = Path(__file__).with_name("otb_ranges.json")


@dataclass(frozen=True)
class Sequence:
    """One video with its truth; images are read when they are asked for.

    Attributes:
        name: of the folder.
        images: one a frame.
        regions: one a frame, 4 numbers (x, y, width, height) or 8 (corners), in pixels; NaN where the target is not
            annotated, which :func:`load_sequences` allows on request only.
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
        frame = read_image(self.images[index])
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


def load_sequences(root: Path, names: Tuple[str, ...] = (), *, gaps: bool = False) -> List[Sequence]:
    """Open the sequences below *root*, or only those called *names*.

    Args:
        root: folder of sequences.
        names: all when empty.
        gaps: allow frames whose truth is not a number, as UAV123 has them.

    Raises:
        UsageError: there is none, or not one of the names.
        ArtifactError: images are missing, or a line of the truth is not 4 or 8 finite numbers.
    """
    found: Dict[str, Path] = {}
    for folder in _folders(root):
        found.update(_truths(folder))
    if not found:
        raise UsageError(f"{root} holds no sequence", hint="a folder of NAME/groundtruth.txt with the images beside")
    missing = [name for name in names if name not in found]
    if missing:
        known = ", ".join(list(found)[:8])
        raise UsageError(f"{root} has no sequence {', '.join(missing)}", hint=f"it has {known}")
    return [_load(name, truth, gaps=gaps) for name, truth in found.items() if not names or name in names]


def load_sequence(folder: Path) -> Sequence:
    """Open the one sequence of *folder*.

    Raises:
        UsageError: it holds none, or several.
        ArtifactError: see :func:`load_sequences`.
    """
    truths = _truths(folder)
    if len(truths) != 1:
        raise UsageError(f"{folder} holds {len(truths)} sequences, not one", hint="it needs a groundtruth.txt")
    ((name, truth),) = truths.items()
    return _load(name, truth, gaps=False)


def _folders(root: Path) -> List[Path]:
    listed = root / "list.txt"
    if not listed.is_file():
        return sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".") if root.is_dir() else []
    folders = [root / name for name in listed.read_text(encoding="utf-8", errors="surrogateescape").split()]
    for folder in folders:
        if not _truths(folder):
            raise ArtifactError(f"{listed} names {folder.name}, which has no truth", hint="fetch the sequence anew")
    return folders


def _truths(folder: Path) -> Dict[str, Path]:
    """Name of each sequence in *folder* -> file of its truth."""
    for name in _TRUTHS:
        if (folder / name).is_file():
            return {folder.name: folder / name}
    return {f"{folder.name}-{path.name.split('.')[1]}": path for path in sorted(folder.glob(_NUMBERED_TRUTHS))}


def read_regions(path: Path, *, gaps: bool) -> Tuple[Tuple[float, ...], ...]:
    """Read a region a line.

    Args:
        path: of the text file.
        gaps: allow lines with numbers that are not finite; all of such a line are NaN then.

    Raises:
        ArtifactError: the file cannot be read, or a line is not 4 or 8 numbers.
    """
    try:
        lines = path.read_text(encoding="utf-8").strip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"cannot read {path}: {error}") from error
    return tuple(_region(line, f"{path}, line {number}", gaps=gaps) for number, line in enumerate(lines, start=1))


def _load(name: str, truth: Path, *, gaps: bool) -> Sequence:
    regions = read_regions(truth, gaps=gaps)
    images = _images(truth.parent)
    if len(images) > len(regions):
        images = _annotated_range(name, images)
    if not images:
        raise ArtifactError(f"{truth.parent} holds no image", hint=f"images lie in {name}/color, {name}/img or {name}")
    if len(images) != len(regions):
        raise ArtifactError(
            f"{truth.parent} has {len(images)} images for {len(regions)} lines of truth", hint="fetch the sequence anew"
        )
    return Sequence(name, tuple(images), regions)


def _images(folder: Path) -> List[Path]:
    inner = next((folder / name for name in _IMAGE_FOLDERS if (folder / name).is_dir()), folder)
    return images_of(inner)


def _annotated_range(name: str, images: List[Path]) -> List[Path]:
    """The frames that OTB annotates, for the few of its sequences where that is not all."""
    first, last = read_json(_OTB_RANGES).get(name, (1, len(images)))
    return images[first - 1 : last]


def _region(line: str, where: str, *, gaps: bool) -> Tuple[float, ...]:
    try:
        numbers = tuple(float(field) for field in _BETWEEN_NUMBERS.split(line.strip()))
    except ValueError as error:
        raise ArtifactError(f"{where}: {line!r} is not numbers", hint="mend the annotation") from error
    finite = bool(np.isfinite(numbers).all())
    if len(numbers) not in (4, 8) or not (finite or gaps):
        raise ArtifactError(f"{where}: a region is 4 or 8 finite numbers, not {line!r}", hint="mend the annotation")
    return numbers if finite else (float("nan"),) * len(numbers)
