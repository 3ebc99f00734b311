"""Let the user draw the target into the first frame."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2

from siamtrt import Array, BoundingBox, UsageError
from siamtrt.files import whole_file

FRAME_NAME = "first_frame.png"
_OPEN_A_WINDOW = [sys.executable, "-c", "import cv2; cv2.namedWindow('a')"]


def draw_target(frame: Array, folder: Path) -> BoundingBox:
    """The box that the user draws into *frame* (HxWx3 uint8, BGR).

    Args:
        frame: the first of the source.
        folder: gets the frame as ``first_frame.png`` where there is no display, for a box to be read off.

    Raises:
        UsageError: there is no display, or nothing was drawn.
    """
    os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")  # Qt would list the fonts that it does not find
    hint = "--init X,Y,W,H (make track: INIT=X,Y,W,H)"
    # Without a display OpenCV's Qt ends the whole process, so another one tries first.
    if subprocess.run(_OPEN_A_WINDOW, capture_output=True, check=False).returncode != 0:
        with whole_file(folder / FRAME_NAME) as temporary:
            cv2.imwrite(str(temporary), frame)
        raise UsageError(
            f"there is no display to draw the target on; the first frame is {folder / FRAME_NAME}",
            hint=f"read the box off that picture, then {hint}",
        )
    x, y, width, height = cv2.selectROI("draw the target, then press Enter", frame)
    cv2.destroyAllWindows()
    if width <= 0 or height <= 0:
        raise UsageError("no target was drawn", hint=hint)
    return BoundingBox(float(x), float(y), float(width), float(height))
