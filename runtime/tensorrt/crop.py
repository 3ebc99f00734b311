"""The crop kernel, and the record of what it cuts."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np

from runtime.matcher import Color
from runtime.nv12 import Part
from runtime.tensorrt.device import Buffer, Device
from siamtrt import Array
from siamtrt.geometry import Square

# siamtrt_square of kernels/crop.h
SQUARE = np.dtype(
    [("left", np.int32), ("top", np.int32), ("side", np.int32), ("fill", np.int32, (3,)), ("step", np.float64)]
)


class CropKernel:
    """Cuts one square at a time out of a frame on the GPU.

    Args:
        device: the GPU.
        library: see :func:`runtime.tensorrt.compiled.load_kernels`.
    """

    def __init__(self, device: Device, library: Any) -> None:
        self._device, self._library = device, library
        self._square = device.buffer((1,), SQUARE, mapped=True)
        self.aim(Square(0.0, 0.0, 1, 1), (0, 0, 0))  # a run that nobody aimed cuts something, and nothing wild

    def aim(self, square: Square, fill: Color) -> None:
        """Say what the next runs cut, captured ones too; nothing may be on the stream."""
        aim(self._square.host, square, fill)

    def enqueue(self, frame: Buffer, out: int, out_px: int, *, staged: int | None = None) -> None:
        """Enqueue one crop.

        Args:
            frame: HxWx3 uint8 in BGR; or (3H/2)xW uint8 in NV12, converted as it is cut.
            out: address on the GPU of 1x3xSxS float32; overwritten with 0..255 in BGR.
            out_px: S.
            staged: address of memory for a frame, which takes the part that is cut before it is cut; None cuts it out
                of *frame* in place.

        Raises:
            InferenceError: CUDA refused.
        """
        rows, width, *channels = frame.host.shape
        is_nv12 = not channels
        picture = (width, rows // 3 * 2 if is_nv12 else rows, int(is_nv12))
        if staged is not None:
            status = self._library.siamtrt_stage(
                ctypes.c_void_p(frame.address),
                *picture,
                ctypes.c_void_p(self._square.address),
                ctypes.c_void_p(staged),
                ctypes.c_void_p(self._device.stream),
            )
            self._device.check(status, "staging the frame")
        status = self._library.siamtrt_crop(
            ctypes.c_void_p(frame.address if staged is None else staged),
            *picture,
            ctypes.c_void_p(self._square.address),
            ctypes.c_void_p(out),
            out_px,
            ctypes.c_void_p(self._device.stream),
        )
        self._device.check(status, "cropping")


def crop_bytes(out_px: int) -> int:
    """Bytes of one crop."""
    return 3 * out_px * out_px * np.dtype(np.float32).itemsize


def aim(record: Array, square: Square, fill: Color) -> None:
    """Write down what to cut.

    Args:
        record: array of one ``SQUARE``; overwritten.
        square: the region, cut as :func:`runtime.crop.crop` does.
        fill: BGR value outside the frame.
    """
    record["left"], record["top"] = _corner(square)
    record["side"] = square.side_px
    record["fill"] = fill
    record["step"] = square.side_px / square.out_px


def part_of_frame(square: Square) -> Part:
    """The rows and columns of a frame that a crop reads."""
    left, top = _corner(square)
    rows, columns = (slice(max(0, low), max(0, low + square.side_px)) for low in (top, left))
    return rows, columns


def _corner(square: Square) -> tuple[int, int]:
    half = (square.side_px + 1) / 2
    return math.floor(square.center_x - half + 0.5), math.floor(square.center_y - half + 0.5)
