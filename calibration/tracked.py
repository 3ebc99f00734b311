"""Boxes for videos that have one for their first frame only: the model's own FP32 graphs track the rest."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import List, Optional

from tqdm import tqdm

from calibration.clips import Clip, Label
from runtime.onnxruntime.matcher import OnnxMatcher
from runtime.tracker import Tracker, TrackerState
from siamtrt import Array, InferenceError, ModelCard

_MOST_FRAMES = 500

log = logging.getLogger(__name__)


def track(clip: Clip, onnx: Path, card: ModelCard, *, threads: Optional[int] = None) -> Clip:
    """Follow the object of the clip's only label through its first 500 frames.

    Args:
        clip: ``untracked``.
        onnx: folder of the exported graphs.
        card: of the model.
        threads: of ONNX Runtime; all cores when None.

    Returns:
        The clip with a label for each frame that was tracked and in which the target was not lost.

    Raises:
        UsageError: the first box lies outside the frame.
        ArtifactError: a frame cannot be read.
        InferenceError: the network put out no numbers.
    """
    first = clip.labels[0]
    labels: List[Label] = [first]
    frames = islice(clip.all_frames(), _MOST_FRAMES)
    with Tracker(OnnxMatcher(onnx, card, threads=threads)) as tracker:
        for position, frame in tqdm(frames, desc=f"track {clip.name}", unit="frame"):
            if position == 0:
                tracker.start(frame, first.box)
                continue
            state = _updated(tracker, frame, f"frame {position} of {clip.name}")
            if not state.lost:
                name = clip.images[position].name if clip.images else f"frame {position}"
                labels.append(Label(name, position, state.box, first.group))
    log.info("tracked %d frames of %s", len(labels), clip.name)
    return replace(clip, labels=tuple(labels), untracked=False)


def _updated(tracker: Tracker, frame: Array, where: str) -> TrackerState:
    try:
        return tracker.update(frame)
    except InferenceError as error:
        raise InferenceError(f"{error.problem}, at {where}", hint="check the checkpoint") from error
