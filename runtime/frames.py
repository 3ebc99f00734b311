"""What counts as a frame."""

from __future__ import annotations

import cv2
import numpy as np

from siamtrt import Array, UsageError


def as_bgr(frame: Array) -> Array:
    """Return *frame* as HxWx3 uint8 in BGR: grey is repeated, a fourth channel (alpha) is dropped.

    Args:
        frame: HxW, HxWx1, HxWx3 or HxWx4, uint8; colours in OpenCV's order.

    Returns:
        The same array where it already fits, a new one otherwise.

    Raises:
        UsageError: another type or shape, or an empty array.
    """
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
        kind = frame.dtype if isinstance(frame, np.ndarray) else type(frame).__name__
        raise UsageError(f"a frame is an array of uint8, not {kind}", hint="scale to 0..255 and convert")
    if frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 1):
        conversion = cv2.COLOR_GRAY2BGR
    elif frame.ndim == 3 and frame.shape[2] == 4:
        conversion = cv2.COLOR_BGRA2BGR
    elif frame.ndim == 3 and frame.shape[2] == 3 and frame.size:
        return frame
    else:
        raise UsageError(f"a frame of shape {frame.shape} is no image", hint="HxW, HxWx3 (BGR) or HxWx4 (BGRA)")
    if not frame.size:
        raise UsageError(f"a frame of shape {frame.shape} is empty")
    converted: Array = cv2.cvtColor(frame, conversion)
    return converted


def fill_color(frame: Array) -> tuple[int, int, int]:
    """The mean colour of *frame*, BGR, truncated: what PySOT writes outside the frame, whose canvas is uint8."""
    blue, green, red, _ = cv2.mean(frame)
    return int(blue), int(green), int(red)
