"""Results of one-pass evaluation: ``TRACKER/SEQUENCE.txt``, a box a line, as PySOT lays them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sequences.sequence import Sequence
from sequences.text import read_regions
from siamtrt import Array, ArtifactError, BoundingBox, UsageError
from siamtrt.files import write_text

_NO_BOX = "nan,nan,nan,nan"


def result_path(results: Path, tracker: str, sequence: str) -> Path:
    """Where the run of a tracker lies."""
    return results / tracker / f"{sequence}.txt"


def trackers(results: Path) -> list[str]:
    """The trackers with results below *results*.

    Raises:
        UsageError: there is none.
    """
    names = sorted(path.name for path in results.glob("*") if path.is_dir() and path.name[0] != ".")
    if not names:
        raise UsageError(
            f"{results} holds no tracker", hint="results lie in TRACKER/SEQUENCE.txt; or add --engines DIR"
        )
    return names


def write(path: Path, boxes: list[BoundingBox | None]) -> None:
    """Write a run, whole or not at all; None where the tracker had no box.

    Raises:
        ArtifactError: it cannot be written.
    """
    write_text(path, "".join(f"{box or _NO_BOX}\n" for box in boxes))


def read(results: Path, tracker: str, sequence: Sequence) -> Array:
    """The boxes of a run: Nx4 float64 (x, y, width, height) in pixels, NaN where there is none.

    Raises:
        ArtifactError: there is no result, it is damaged, or of another length than the sequence.
    """
    path = result_path(results, tracker, sequence.name)
    if not path.is_file():
        raise ArtifactError(
            f"{tracker} has no result for {sequence.name}: {path} is missing",
            hint="are these the results of another data set, or of an unfinished run?",
        )
    boxes = as_boxes(read_regions(path))
    if len(boxes) != len(sequence):
        raise ArtifactError(
            f"{tracker} has {len(boxes)} lines for {sequence.name}, which has {len(sequence)} frames",
            hint="are these the results of another data set?",
        )
    return boxes


def as_boxes(regions: tuple[tuple[float, ...], ...]) -> Array:
    """Regions as Nx4 float64 boxes; corners become the rectangle around them."""
    return np.array([_box(region) for region in regions], np.float64).reshape(-1, 4)


def _box(region: tuple[float, ...]) -> tuple[float, ...]:
    if len(region) == 4:
        return region
    xs, ys = region[0::2], region[1::2]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
