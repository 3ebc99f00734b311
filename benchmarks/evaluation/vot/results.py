"""Raw results of the reset-based protocol: ``TRACKER/baseline/SEQUENCE/SEQUENCE_001.txt``, a line a frame."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Union

import numpy as np

from benchmarks.evaluation.vot.overlap import box_polygon
from siamtrt import Array, ArtifactError, BoundingBox, UsageError
from siamtrt.files import write_text

SKIPPED, STARTED, FAILED = 0, 1, 2
_REGION = -1
_REPETITIONS = 15
_EARLY_STOP = 3
_NUMBERED = re.compile(r".*\d{3}")  # not SEQUENCE_time.txt, which the toolkits leave beside

Entry = Union[int, BoundingBox]


@dataclass(frozen=True)
class Trajectory:
    """One run over one sequence.

    Attributes:
        codes: N int: ``SKIPPED``, ``STARTED``, ``FAILED``, or -1 where there is a region.
        polygons: Nx4x2 float64, NaN where there is none.
    """

    codes: Array
    polygons: Array

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def failures(self) -> list[int]:
        """Frames in which the target was lost."""
        return [int(index) for index in np.flatnonzero(self.codes == FAILED)]


def result_path(results: Path, tracker: str, sequence: str) -> Path:
    """Where the run of a deterministic tracker lies."""
    return results / tracker / "baseline" / sequence / f"{sequence}_001.txt"


def trackers(results: Path) -> list[str]:
    """The trackers with results below *results*.

    Raises:
        UsageError: there is none.
    """
    names = sorted(path.parent.name for path in results.glob("*/baseline"))
    if not names:
        raise UsageError(
            f"{results} holds no tracker", hint="results lie in TRACKER/baseline/SEQUENCE/SEQUENCE_001.txt"
        )
    return names


def write(path: Path, entries: list[Entry]) -> None:
    """Write a run, whole or not at all.

    Raises:
        ArtifactError: it cannot be written.
    """
    write_text(path, "".join(f"{entry}\n" for entry in entries))


def read_all(results: Path, tracker: str, sequence: str) -> list[Trajectory]:
    """The repetitions of a tracker on a sequence: fifteen, or one of a deterministic tracker.

    The VOT toolkit stops repeating a tracker that gave the same result three times; one of these is taken.

    Raises:
        ArtifactError: there is none, or another number, or a file is damaged.
    """
    folder = results / tracker / "baseline" / sequence
    files = sorted(path for path in folder.glob("*.txt") if _NUMBERED.fullmatch(path.stem))
    if not files:
        raise ArtifactError(f"{folder} holds no result", hint="are these the results of another data set?")
    if len(files) == _EARLY_STOP and len({path.read_bytes() for path in files}) == 1:
        files = files[:1]
    if len(files) not in (1, _REPETITIONS):
        raise ArtifactError(
            f"{folder} holds {len(files)} results", hint=f"keep one, or the {_REPETITIONS} of a full experiment"
        )
    return [read(path) for path in files]


def read(path: Path) -> Trajectory:
    """Read one file.

    Raises:
        ArtifactError: a line is neither a code nor 4 or 8 finite numbers.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").strip().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"cannot read {path}: {error}") from error
    codes = np.full(len(lines), _REGION)
    polygons = np.full((len(lines), 4, 2), np.nan)
    for index, line in enumerate(lines):
        numbers = _numbers(line)
        if numbers is not None and len(numbers) == 1 and numbers[0] in (SKIPPED, STARTED, FAILED):
            codes[index] = int(numbers[0])
        elif numbers is not None and len(numbers) == 4:
            polygons[index] = box_polygon(np.array([numbers]))[0]
        elif numbers is not None and len(numbers) == 8:
            polygons[index] = np.array(numbers).reshape(4, 2)
        else:
            raise ArtifactError(f"{path}, line {index + 1}: {line!r} is neither a code nor a region")
    return Trajectory(codes, polygons)


def _numbers(line: str) -> list[float] | None:
    try:
        numbers = [float(field) for field in line.split(",")]
    except ValueError:
        return None
    return numbers if all(map(math.isfinite, numbers)) else None
