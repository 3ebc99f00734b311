"""How closely a run without resets follows a reference, frame by frame.

The reference is another run of the same video (one precision against another: drift) or its truth (as in the
one-pass evaluation of OTB); folders of ``python -m benchmarks ope`` are compared sequence by sequence. Success counts
overlaps strictly above 21 thresholds from 0 to 1; precision counts centres within 20 px.

Where the reference has lost the target, two runs follow different things, and their agreement says nothing of either:
given the truth, only the frames before count.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.evaluation.ope.measures import OVERLAP_THRESHOLDS, box_overlaps, centre_distances_px
from benchmarks.evaluation.ope.results import as_boxes
from sequences.text import read_regions
from siamtrt import Array, ArtifactError, UsageError
from siamtrt.files import visible

_NEAR_PX = 20.0


@dataclass(frozen=True)
class Drift:
    """Agreement of two trajectories.

    Attributes:
        mean_overlap: intersection over union, averaged over the frames that both describe.
        lowest_overlap: the worst of these frames.
        success_auc: mean share of frames above each threshold.
        precision_20_px: share of frames whose centres are at most 20 px apart.
        frames: how many were compared.
        left_out: frames that one of the two leaves without a box.
    """

    mean_overlap: float
    lowest_overlap: float
    success_auc: float
    precision_20_px: float
    frames: int
    left_out: int


def drift_of_folders(boxes: Path, reference: Path, truth: Path | None = None) -> dict[str, Drift]:
    """Compare ``NAME.txt`` of two folders, name by name, until the reference leaves *truth*``/NAME/groundtruth.txt``.

    Raises:
        UsageError: the reference holds no such file.
        ArtifactError: one is missing beside it, or see :func:`drift`.
    """
    names = [path.stem for path in visible(reference, "*.txt")]
    if not names:
        raise UsageError(f"{reference} holds no NAME.txt", hint="name OUT/results/TRACKER of python -m benchmarks ope")
    return {name: _drift_of(name, boxes, reference, truth) for name in names}


def _drift_of(name: str, boxes: Path, reference: Path, truth: Path | None) -> Drift:
    known = truth / name / "groundtruth.txt" if truth else None
    try:
        return drift_of_files(boxes / f"{name}.txt", reference / f"{name}.txt", known)
    except ArtifactError as error:
        raise ArtifactError(f"{name}: {error.problem}", hint=error.hint) from error


def drift_of_files(boxes: Path, reference: Path, truth: Path | None) -> Drift:
    """Compare two files of boxes, until the reference leaves the *truth*.

    Raises:
        ArtifactError: one cannot be read, or see :func:`drift`.
    """
    ours, theirs = read_boxes(boxes), read_boxes(reference)
    if truth is None or len(ours) != len(theirs):
        return drift(ours, theirs)
    lost = until_lost(theirs, read_boxes(truth))
    return drift(ours[:lost], theirs[:lost])


def until_lost(boxes: Array, truth: Array) -> int:
    """The first frame in which *boxes* and *truth* do not overlap, or how many there are.

    Args:
        boxes: Nx4 float64 (x, y, width, height) in pixels.
        truth: Nx4 float64 too; NaN where it is not known.

    Raises:
        ArtifactError: the lengths differ.
    """
    if len(boxes) != len(truth):
        raise ArtifactError(f"the truth has {len(truth)} frames, the run has {len(boxes)}")
    known = np.flatnonzero(np.isfinite(boxes).all(1) & np.isfinite(truth).all(1))
    apart = known[box_overlaps(boxes[known], truth[known]) == 0]
    return int(apart[0]) if len(apart) else len(boxes)


def mean(drifts: dict[str, Drift]) -> dict[str, float]:
    """Figures of a data set: every sequence counts alike."""
    return {
        figure: float(np.mean([getattr(row, figure) for row in drifts.values()]))
        for figure in ("mean_overlap", "success_auc", "precision_20_px")
    }


def drift(boxes: Array, reference: Array) -> Drift:
    """Compare two trajectories of one video.

    Args:
        boxes: Nx4 float64 (x, y, width, height) in pixels, NaN where there is no box.
        reference: Nx4 float64, of the same frames.

    Raises:
        ArtifactError: the lengths differ, or no frame has both boxes; the first is given, so not counted.
    """
    if len(boxes) != len(reference):
        raise ArtifactError(
            f"{len(boxes)} boxes cannot be compared with {len(reference)}",
            hint="are both of the same video, to its end?",
        )
    first, second = boxes[1:], reference[1:]
    both = np.isfinite(first).all(1) & np.isfinite(second).all(1) & (second[:, 2:] > 0).all(1)
    if not both.any():
        raise ArtifactError("no frame after the first has a box in both", hint="check the two files")
    overlaps = box_overlaps(first[both], second[both])
    apart_px = centre_distances_px(first[both], second[both])
    return Drift(
        mean_overlap=float(overlaps.mean()),
        lowest_overlap=float(overlaps.min()),
        success_auc=float((overlaps[:, None] > OVERLAP_THRESHOLDS).mean()),
        precision_20_px=float((apart_px <= _NEAR_PX).mean()),
        frames=int(both.sum()),
        left_out=int((~both).sum()),
    )


def read_boxes(path: Path) -> Array:
    """Read a region a line, as results and truths of data sets are written; ``nan`` stands where there is none.

    Returns:
        Nx4 float64; corners become the rectangle around them.

    Raises:
        ArtifactError: the file cannot be read, or a line is not four or eight numbers.
    """
    if not path.is_file():
        raise ArtifactError(
            f"no such file of boxes: {path}", hint="boxes.txt of track, a truth, or OUT/results/A of ope"
        )
    return as_boxes(read_regions(path))
