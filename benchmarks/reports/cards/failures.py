"""The frames in which the target was lost, as small pictures with the truth and what the tracker said."""

from __future__ import annotations

import base64
from typing import Any, Dict, List, Optional, Tuple

import cv2
import numpy as np

from sequences.sequence import Sequence
from siamtrt import Array, ArtifactError

_WIDTH_PX = 320
_QUALITY = 72
_TRUTH_BGR, _PREDICTION_BGR = (255, 255, 255), (30, 140, 255)


def failures(sequence: Sequence, beside: Dict[str, Any]) -> List[Dict[str, Any]]:
    """The failures of one run.

    Args:
        sequence: that was run; its images are read.
        beside: what the run left beside its result, with ``lost``.

    Raises:
        ArtifactError: an image is unreadable, or the run was made by a version that did not keep what was lost.
    """
    if "lost" not in beside:
        raise ArtifactError(
            f"the run of {sequence.name} does not tell where the target was lost", hint="delete it and run it anew"
        )
    found = []
    for frame, words in beside["lost"].items():
        truth = sequence.polygon(int(frame))
        box = None if words is None else [float(number) for number in words.split(",")]
        found.append(
            {
                "sequence": sequence.name,
                "frame": int(frame),
                "truth": truth.tolist(),
                "prediction": box,
                "jpeg_base64": thumbnail(sequence.frame(int(frame)), truth, box),
            }
        )
    return found


def thumbnail(frame: Array, truth: Array, box: Optional[List[float]]) -> str:
    """A JPEG in base64: the frame, 320 px wide, the truth in white and the prediction in orange.

    Args:
        frame: HxWx3 uint8, BGR.
        truth: 4x2, corners in pixels.
        box: x, y, width, height in pixels; None where the tracker said that the target was gone.
    """
    scale = _WIDTH_PX / frame.shape[1]
    picture = cv2.resize(frame, (_WIDTH_PX, max(1, round(frame.shape[0] * scale))), interpolation=cv2.INTER_AREA)
    _outline(picture, truth * scale, _TRUTH_BGR, 1)
    if box is not None:
        x, y, width, height = box
        corners = np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
        _outline(picture, corners * scale, _PREDICTION_BGR, 2)
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return base64.b64encode(data.tobytes()).decode("ascii")


def _outline(picture: Array, corners: Array, bgr: Tuple[int, int, int], thick_px: int) -> None:
    """Draw a closed line, on a dark one so that it shows on any ground."""
    ends = [np.round(corners).astype(np.int32)]
    cv2.polylines(picture, ends, True, (0, 0, 0), thick_px + 2, cv2.LINE_AA)
    cv2.polylines(picture, ends, True, bgr, thick_px, cv2.LINE_AA)
