"""What counts as a frame: an array in BGR, or NV12."""

from __future__ import annotations

from typing import Union

import cv2
import numpy as np

from runtime.nv12 import Nv12Frame
from siamtrt import Array, UsageError

Frame = Union[Array, Nv12Frame]  # HxWx3 uint8 in BGR, or NV12


def as_frame(frame: Frame) -> Frame:
    """Return *frame* as trackers take it: NV12 as it is, all else by :func:`as_bgr`.

    Raises:
        UsageError: it is no image.
    """
    return frame if isinstance(frame, Nv12Frame) else as_bgr(frame)


def as_bgr(frame: Frame) -> Array:
    """Return *frame* as HxWx3 uint8 in BGR: NV12 is converted, grey repeated, a fourth channel (alpha) dropped.

    Args:
        frame: NV12, or HxW, HxWx1, HxWx3 or HxWx4, uint8; colours in OpenCV's order.

    Returns:
        The same array where it already fits, a new one otherwise.

    Raises:
        UsageError: another type or shape, or an empty array.
    """
    if isinstance(frame, Nv12Frame):
        return frame.bgr()
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


def fill_color(frame: Frame) -> tuple[int, int, int]:
    """The mean colour of *frame* in BGR, truncated: what PySOT writes outside the frame, whose canvas is uint8."""
    blue, green, red, _ = cv2.mean(as_bgr(frame))
    return int(blue), int(green), int(red)
