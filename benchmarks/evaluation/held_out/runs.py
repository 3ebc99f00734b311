"""One pass of the tracker through each video, and what it says of the tracker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.evaluation.ope.measures import box_overlaps, success_curve
from benchmarks.evaluation.ope.results import as_boxes
from benchmarks.evaluation.ope.run import follow
from benchmarks.evaluation.trackers import BoxTracker
from runtime.locator import HostLocator
from runtime.onnxruntime.matcher import OnnxMatcher
from runtime.tracker import Tracker
from sequences.sequence import Sequence
from siamtrt import Array, BoundingBox, ModelCard
from siamtrt.card import TrackerConstants


@dataclass(frozen=True)
class VideoRun:
    """How one video went.

    Attributes:
        success_auc: area under the success curve of the frames with a truth, 0..1; the first frame, given, counts.
        overlap: mean intersection over union of the same frames.
        losses: how often the overlap fell to zero.
        size_ratio: median of the root of the area relative to the true one, in frames with an overlap above one half.
        overlaps: of each frame; None where there is no truth.
    """

    success_auc: float
    overlap: float
    losses: int
    size_ratio: float | None
    overlaps: list[float | None]


@dataclass(frozen=True)
class GroupRun:
    """Means over the videos of one folder, every video alike; losses are counted."""

    success_auc: float
    overlap: float
    losses: int


def run_videos(tracker: BoxTracker, groups: dict[str, list[Sequence]]) -> dict[str, dict[str, VideoRun]]:
    """Track every video from its first frame.

    Raises:
        PipelineError: of any kind, naming the video.
    """
    return {group: {video.name: _run(tracker, video) for video in videos} for group, videos in groups.items()}


def summary(runs: dict[str, VideoRun]) -> GroupRun:
    """The figures of a folder."""
    rows = list(runs.values())
    return GroupRun(
        success_auc=float(np.mean([row.success_auc for row in rows])),
        overlap=float(np.mean([row.overlap for row in rows])),
        losses=sum(row.losses for row in rows),
    )


def worth(runs: dict[str, dict[str, VideoRun]]) -> float:
    """One number to choose by: the mean success of the folders, every folder alike."""
    return float(np.mean([summary(group).success_auc for group in runs.values()]))


def with_constants(card: ModelCard, constants: TrackerConstants) -> ModelCard:
    """The *card* with other constants; the window is that of its ordinary search, which is what decodes."""
    ordinary = replace(card.search, window_influence=constants.window_influence)
    return replace(card, tracker=constants, searches=(ordinary, *card.searches[1:]))


class ChosenTracker:
    """The tracker on ONNX Runtime with constants of choice.

    Args:
        engines: folder written by ``python -m engines`` for ``onnxruntime``.
        constants: those of the model card when None.
        threads: all cores when None.
    """

    def __init__(self, engines: Path, constants: TrackerConstants | None, threads: int | None) -> None:
        card = ModelCard.load(engines)
        chosen = card if constants is None else with_constants(card, constants)
        self._tracker = Tracker(HostLocator(OnnxMatcher(engines, chosen, threads=threads)))

    def start(self, frame: Array, box: BoundingBox) -> None:
        self._tracker.start(frame, box)

    def update(self, frame: Array) -> BoundingBox | None:
        return self._tracker.update(frame).box

    def close(self) -> None:
        """Free the backend's resources."""
        self._tracker.close()


def judged(boxes: Array, truth: Array) -> VideoRun:
    """Compare the boxes of one run with the truth.

    Args:
        boxes: Nx4 float64 (x, y, width, height) in pixels.
        truth: Nx4 float64 of the same form; NaN or without area where there is none.
    """
    known = np.isfinite(truth).all(1) & (truth[:, 2:] > 0).all(1)
    overlaps = box_overlaps(boxes[known], truth[known])
    followed = overlaps > 0.5
    ratios = np.sqrt(boxes[known][followed, 2:].prod(1) / truth[known][followed, 2:].prod(1))
    every: list[float | None] = [None] * len(truth)
    for index, value in zip(np.flatnonzero(known), overlaps):
        every[int(index)] = round(float(value), 4)
    return VideoRun(
        success_auc=float(success_curve(truth[known], boxes[known]).mean()),
        overlap=float(overlaps.mean()),
        losses=int(((overlaps[1:] == 0) & (overlaps[:-1] > 0)).sum()),
        size_ratio=float(np.median(ratios)) if len(ratios) else None,
        overlaps=every,
    )


def _run(tracker: BoxTracker, video: Sequence) -> VideoRun:
    boxes, _ = follow(tracker, video)
    return judged(np.array([[box.x, box.y, box.width, box.height] for box in boxes if box]), as_boxes(video.regions))
