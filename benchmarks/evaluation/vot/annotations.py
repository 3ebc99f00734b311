"""Truth of a data set: PySOT's JSON, which needs no images since the sizes of frames stand in it, or its sequences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.evaluation.vot.overlap import box_polygon
from sequences.annotated import load_sequences
from sequences.sequence import Sequence
from siamtrt import Array, ArtifactError, UsageError
from siamtrt.files import read_json

_MOST_PX = 1e6
_SUFFIXES = (".tag", ".label")


@dataclass(frozen=True)
class Truth:
    """Truth of one sequence.

    Attributes:
        name: of the sequence.
        polygons: Nx4x2 float64, corners in pixels.
        size: width and height of its frames, in pixels.
        tags: attribute -> N bool.
        absent_tags: how many annotated attributes never occur in the sequence.
    """

    name: str
    polygons: Array
    size: tuple[int, int]
    tags: dict[str, Array]
    absent_tags: int

    def __len__(self) -> int:
        return len(self.polygons)


def load(path: Path, tags: tuple[str, ...], names: tuple[str, ...] = ()) -> dict[str, Truth]:
    """Read an annotation file, or a folder of sequences: sequence name -> truth.

    Args:
        path: of the file or folder.
        tags: attributes of frames.
        names: of the sequences to take; all when empty.

    Raises:
        UsageError: the folder holds no sequence, or there is none of a name.
        ArtifactError: the file is no such JSON or names no sequence, a region is not 4 or 8 finite numbers, a tag has
            another length, or the size of the frames is missing.
    """
    document = as_annotations(load_sequences(path), tags) if path.is_dir() else read_json(path)
    if not document:
        raise ArtifactError(f"{path} names no sequence")
    unknown = [name for name in names if name not in document]
    if unknown:
        raise UsageError(f"the annotations have no sequence {', '.join(unknown)}", hint="check --only")
    try:
        return {name: _truth(name, document[name], tags) for name in names or document}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{path} is not an annotation file of a VOT data set: {error!r}") from error


def as_annotations(sequences: list[Sequence], tags: tuple[str, ...]) -> dict[str, Any]:
    """The JSON of sequences on disk, without the attributes that have no file, as :func:`load` reads it.

    Raises:
        ArtifactError: the first image is unreadable, or a file of an attribute is not a 0 or 1 for each frame.
    """
    return {sequence.name: _entry(sequence, tags) for sequence in sequences}


def polygon(numbers: list[float], where: str) -> Array:
    """A region as 4x2 corners; four numbers are x, y, width, height.

    Raises:
        ArtifactError: neither 4 nor 8 finite numbers.
    """
    if len(numbers) not in (4, 8) or not all(math.isfinite(value) for value in numbers):
        raise ArtifactError(f"{where}: a region is 4 or 8 finite numbers, not {numbers}", hint="mend the annotation")
    if len(numbers) == 8:
        return np.array(numbers, float).reshape(4, 2)
    corners: Array = box_polygon(np.array([numbers], float))[0]
    return corners


def _truth(name: str, entry: dict[str, Any], tags: tuple[str, ...]) -> Truth:
    regions = [polygon(region, f"{name}, frame {index}") for index, region in enumerate(entry["gt_rect"])]
    if not regions:
        raise ArtifactError(f"{name} has no frame")
    marked: dict[str, Array] = {}
    for tag in tags:
        marked[tag] = np.array(entry.get(tag) or [0] * len(regions), bool)
        if len(marked[tag]) != len(regions):
            raise ArtifactError(f"{name}: {len(marked[tag])} marks of {tag} for {len(regions)} frames")
    absent = sum(1 for tag in tags if entry.get(tag) and not marked[tag].any())
    return Truth(name, np.array(regions), _size(name, entry), marked, absent)


def _size(name: str, entry: dict[str, Any]) -> tuple[int, int]:
    width, height = entry.get("width"), entry.get("height")
    if not all(isinstance(side, (int, float)) and 1 <= side <= _MOST_PX for side in (width, height)):
        raise ArtifactError(
            f"{name} has no size of its frames: its width is {width!r}, its height {height!r}",
            hint="add width and height, in pixels, to the annotations, or name the folder of the sequences instead",
        )
    return int(width or 0), int(height or 0)


def _entry(sequence: Sequence, tags: tuple[str, ...]) -> dict[str, Any]:
    height, width = sequence.frame(0).shape[:2]
    entry: dict[str, Any] = {"width": width, "height": height, "gt_rect": [list(region) for region in sequence.regions]}
    tagged = {tag: marks(sequence, tag) for tag in tags}
    return {**entry, **{tag: values for tag, values in tagged.items() if values is not None}}


def marks(sequence: Sequence, tag: str) -> list[int] | None:
    """Read an attribute, a 0 or 1 a frame, from a file beside the images or beside their folder; None without one.

    Raises:
        ArtifactError: the file is not a 0 or 1 for each frame.
    """
    images, frames = sequence.images[0].parent, len(sequence)
    for path in (folder / f"{tag}{suffix}" for folder in (images, images.parent) for suffix in _SUFFIXES):
        if path.is_file():
            words = path.read_text(encoding="utf-8", errors="replace").split()
            if len(words) != frames or set(words) - {"0", "1"}:
                raise ArtifactError(f"{path} is not a 0 or 1 for each of {frames} frames", hint="mend the attribute")
            return [int(word) for word in words]
    return None
