"""Cut a square out of a frame; only the patch is padded, never the frame."""

from __future__ import annotations

import math

import cv2
import numpy as np

from runtime.frames import Frame
from runtime.matcher import Color
from runtime.nv12 import Nv12Frame
from siamtrt import Array
from siamtrt.geometry import Square


def crop(frame: Frame, square: Square, fill: Color) -> Array:
    """Cut *square* and scale it, filling what lies outside the frame.

    Args:
        frame: HxWx3 uint8, BGR; or NV12, of which only the patch is converted.
        square: the region; it has to touch the frame.
        fill: BGR value outside the frame.

    Returns:
        out_px x out_px x 3 uint8, BGR; may be a view of *frame*.

    Source: equals PySOT's ``get_subwindow`` up to the channel order of the result (tests/golden/pysot).
    """
    half = (square.side_px + 1) / 2
    left = math.floor(square.center_x - half + 0.5)
    top = math.floor(square.center_y - half + 0.5)
    right, bottom = left + square.side_px, top + square.side_px
    height, width = frame.shape[:2]
    rows, columns = slice(max(0, top), max(0, min(height, bottom))), slice(max(0, left), max(0, min(width, right)))
    patch = frame.bgr(rows, columns) if isinstance(frame, Nv12Frame) else frame[rows, columns]
    if not patch.size:
        return np.full((square.out_px, square.out_px, 3), fill, np.uint8)
    if left < 0 or top < 0 or right > width or bottom > height:
        pads = (max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width))
        patch = cv2.copyMakeBorder(patch, *pads, cv2.BORDER_CONSTANT, value=fill)
    if square.side_px != square.out_px:
        patch = cv2.resize(patch, (square.out_px, square.out_px), interpolation=cv2.INTER_LINEAR)
    return patch


def network_input(patch: Array, out: Array) -> None:
    """Write a crop into a network's input.

    Args:
        patch: SxSx3 uint8, BGR.
        out: 1x3xSxS float32, C-contiguous; overwritten with 0..255 in BGR.
    """
    for channel, plane in enumerate(cv2.split(patch)):
        out[0, channel] = plane
