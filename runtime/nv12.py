"""Frames in NV12, as cameras deliver them: converted where a crop or a picture needs it, not as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import cv2
import numpy as np

from siamtrt import Array, UsageError

Part = Tuple[slice, slice]  # rows and columns of an array


@dataclass(frozen=True, eq=False)
class Nv12Frame:
    """A picture with a brightness for each pixel and a colour for each 2x2 of them.

    It stands for what ``cv2.cvtColor(pixels, cv2.COLOR_YUV2BGR_NV12)`` makes of it, bit for bit: BT.601 in its limited
    range (16..235), each colour that of its four pixels, nothing interpolated between colours. The CUDA kernel does
    what OpenCV does on x86; some of its builds for ARM are a grey level off (3rdparty/carotene/src/colorconvert.cpp).

    Attributes:
        pixels: (3H/2)xW uint8: H rows of brightness (Y), then H/2 rows of colours, U and V in turn. H and W are even.

    Raises:
        UsageError: the array is none of these.
    """

    pixels: Array

    def __post_init__(self) -> None:
        pixels = self.pixels
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 2 or not pixels.size:
            raise UsageError("a frame in NV12 is an array of uint8 with 3H/2 rows and W columns")
        if pixels.shape[0] % 3 or pixels.shape[1] % 2:
            raise UsageError(
                f"an array of {pixels.shape[0]} rows and {pixels.shape[1]} columns is no frame in NV12",
                hint="width and height are even, and there are 3/2 as many rows as the picture is high",
            )

    @classmethod
    def of_bgr(cls, frame: Array) -> Nv12Frame:
        """The same picture in NV12, for trying without a camera; the colour of 2x2 pixels becomes one.

        Args:
            frame: HxWx3 uint8, BGR.

        Raises:
            UsageError: its width or height is odd.
        """
        height, width = frame.shape[:2]
        if height % 2 or width % 2:
            raise UsageError(f"a frame of {width}x{height} has no NV12", hint="width and height have to be even")
        planes = cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420)
        pixels = np.empty_like(planes)
        pixels[:height] = planes[:height]
        pixels[height:].reshape(-1, 2).T[...] = planes[height:].reshape(2, -1)
        return cls(pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """That of the picture in BGR: H, W, 3."""
        rows, width = self.pixels.shape
        return rows // 3 * 2, width, 3

    def parts(self, rows: slice, columns: slice) -> tuple[Part, Part]:
        """Where brightness and colours of a part of the picture lie in ``pixels``, widened to whole 2x2 pixels."""
        height, width, _ = self.shape
        top, bottom, _ = rows.indices(height)
        left, right, _ = columns.indices(width)
        first, last, across = top // 2, (bottom + 1) // 2, slice(left // 2 * 2, (right + 1) // 2 * 2)
        return (slice(2 * first, 2 * last), across), (slice(height + first, height + last), across)

    def bgr(self, rows: slice = slice(None), columns: slice = slice(None)) -> Array:
        """Convert a part of the picture; all of it where none is named.

        Returns:
            HxWx3 uint8, BGR; a new array.
        """
        height, width, _ = self.shape
        top, bottom, _ = rows.indices(height)
        left, right, _ = columns.indices(width)
        if top >= bottom or left >= right:
            return np.empty((max(0, bottom - top), max(0, right - left), 3), np.uint8)
        bright, colors = (self.pixels[part] for part in self.parts(rows, columns))
        pairs = colors.reshape(len(colors), -1, 2)
        converted: Array = cv2.cvtColorTwoPlane(bright, pairs, cv2.COLOR_YUV2BGR_NV12)
        above, before = top % 2, left % 2
        return converted[above : above + bottom - top, before : before + right - left]
