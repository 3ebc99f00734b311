"""The frames in which the target was lost, as small pictures with the truth and the box of the tracker."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np

from sequences.sequence import Sequence
from siamtrt import Array, ArtifactError

_WIDTH_PX = 320
_QUALITY = 72
_TRUTH_BGR, _PREDICTION_BGR = (255, 255, 255), (30, 140, 255)


def failures(sequence: Sequence, notes: dict[str, Any]) -> list[dict[str, Any]]:
    """The failures of one run.

    Args:
        sequence: that was run; its images are read.
        notes: what the run left beside its result, with ``lost``.

    Raises:
        ArtifactError: an image is unreadable, or the run was made by a version that did not keep what was lost.
    """
    if "lost" not in notes:
        raise ArtifactError(
            f"the run of {sequence.name} does not show where the target was lost", hint="delete it and run it anew"
        )
    lost = []
    for frame, box_text in notes["lost"].items():
        truth = sequence.polygon(int(frame))
        box = None if box_text is None else [float(number) for number in box_text.split(",")]
        lost.append(
            {
                "sequence": sequence.name,
                "frame": int(frame),
                "truth": truth.tolist(),
                "prediction": box,
                "jpeg_base64": thumbnail(sequence.frame(int(frame)), truth, box),
            }
        )
    return lost


def thumbnail(frame: Array, truth: Array, box: list[float] | None) -> str:
    """A JPEG in base64: the frame, 320 px wide, the truth in white and the prediction in orange.

    Args:
        frame: HxWx3 uint8, BGR.
        truth: 4x2, corners in pixels.
        box: x, y, width, height in pixels; None where the tracker reported that the target was gone.
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


def _outline(picture: Array, corners: Array, bgr: tuple[int, int, int], thick_px: int) -> None:
    """Draw a closed line, on a dark one so that it shows on any ground."""
    ends = [np.round(corners).astype(np.int32)]
    cv2.polylines(picture, ends, True, (0, 0, 0), thick_px + 2, cv2.LINE_AA)
    cv2.polylines(picture, ends, True, bgr, thick_px, cv2.LINE_AA)
