"""Truth of a data set: PySOT's JSON, which needs no images since the sizes of frames stand in it, or its sequences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np

from benchmarks.evaluation.vot.folders import as_annotations
from benchmarks.evaluation.vot.overlap import box_polygon
from sequences.annotated import load_sequences
from siamtrt import Array, ArtifactError
from siamtrt.files import read_json


@dataclass(frozen=True)
class Truth:
    """Of one sequence.

    Attributes:
        name: of the sequence.
        polygons: Nx4x2 float64, corners in pixels.
        size: width and height of its frames, in pixels.
        tags: attribute -> N bool.
        absent_tags: how many annotated attributes never occur in the sequence.
    """

    name: str
    polygons: Array
    size: Tuple[int, int]
    tags: Dict[str, Array]
    absent_tags: int

    def __len__(self) -> int:
        return len(self.polygons)


def load(path: Path, tags: Tuple[str, ...]) -> Dict[str, Truth]:
    """Read an annotation file, or a folder of sequences: sequence name -> truth.

    Raises:
        UsageError: the folder holds no sequence.
        ArtifactError: the file is no such JSON or names no sequence, a region is not 4 or 8 finite numbers, a tag has
            another length, or the size of the frames is missing.
    """
    document = as_annotations(load_sequences(path), tags) if path.is_dir() else read_json(path)
    if not document:
        raise ArtifactError(f"{path} names no sequence")
    try:
        return {name: _truth(name, entry, tags) for name, entry in document.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{path} is not an annotation file of a VOT data set: {error!r}") from error


def polygon(numbers: List[float], where: str) -> Array:
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


def _truth(name: str, entry: Dict[str, Any], tags: Tuple[str, ...]) -> Truth:
    regions = [polygon(region, f"{name}, frame {index}") for index, region in enumerate(entry["gt_rect"])]
    if not regions:
        raise ArtifactError(f"{name} has no frame")
    found: Dict[str, Array] = {}
    for tag in tags:
        marks = np.array(entry.get(tag) or [0] * len(regions), bool)
        if len(marks) != len(regions):
            raise ArtifactError(f"{name}: {len(marks)} marks of {tag} for {len(regions)} frames")
        found[tag] = marks
    absent = sum(1 for tag in tags if entry.get(tag) and not found[tag].any())
    return Truth(name, np.array(regions), _size(name, entry), found, absent)


def _size(name: str, entry: Dict[str, Any]) -> Tuple[int, int]:
    width, height = entry.get("width"), entry.get("height")
    if not all(isinstance(side, (int, float)) and side >= 1 for side in (width, height)):
        raise ArtifactError(
            f"{name} has no size of its frames: its width is {width!r}, its height {height!r}",
            hint="add width and height, in pixels, to the annotations, or name the folder of the sequences instead",
        )
    return int(width or 0), int(height or 0)
