"""Boxes for videos that have one for their first frame only: the model's own FP32 graphs track the rest."""

from __future__ import annotations

import logging
import math
from dataclasses import astuple, replace
from pathlib import Path

from runtime.locator import HostLocator
from runtime.onnxruntime.matcher import OnnxMatcher
from runtime.tracker import Tracker
from sequences.sequence import Region, Sequence
from siamtrt import InferenceError, ModelCard
from siamtrt.progress import progress_bar

_MOST_FRAMES = 500
_LOST: Region = (math.nan,) * 4

log = logging.getLogger(__name__)


def track(sequence: Sequence, onnx: Path, card: ModelCard, *, threads: int | None = None) -> Sequence:
    """Follow the object of the sequence's only box through its first 500 frames.

    Args:
        sequence: whose first box alone is known.
        onnx: folder of the exported graphs.
        card: of the model.
        threads: of ONNX Runtime; all cores when None.

    Returns:
        Those frames with the boxes of the tracker, NaN where it had lost the target.

    Raises:
        UsageError: the first box lies outside the frame.
        ArtifactError: a frame cannot be read.
        InferenceError: the network put out no numbers.
    """
    images = sequence.images[:_MOST_FRAMES]
    regions = [sequence.regions[0]]
    with Tracker(HostLocator(OnnxMatcher(onnx, card, threads=threads))) as tracker:
        tracker.start(sequence.frame(0), sequence.start_box(0))
        for index in progress_bar(range(1, len(images)), desc=f"track {sequence.name}", unit="frame"):
            try:
                state = tracker.update(sequence.frame(index))
            except InferenceError as error:
                raise InferenceError(f"{error.problem}, at {images[index]}", hint="check the checkpoint") from error
            regions.append(_LOST if state.lost else astuple(state.box))
    log.info("tracked %d frames of %s", len(regions) - regions.count(_LOST), sequence.name)
    return replace(sequence, images=images, regions=tuple(regions))
