"""The frame in memory that the GPU reads, and the crop of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.matcher import Color
from runtime.tensorrt.crop import CropKernel
from runtime.tensorrt.device import Buffer, Device
from siamtrt import Array, InferenceError
from siamtrt.geometry import Square

WHOLE = (slice(None), slice(None))


class FrameOnGpu:
    """One frame at a time, and what is cut out of it.

    Args:
        device: the GPU.
        library: see :func:`runtime.tensorrt.compiled.load_kernels`.
    """

    def __init__(self, device: Device, library: Any) -> None:
        self._device, self._crop = device, CropKernel(device, library)
        self._buffer: Buffer | None = None

    def fits(self, frame: Array) -> bool:
        """Whether there is memory for a frame of this shape."""
        return self._buffer is not None and self._buffer.host.shape == frame.shape

    def make_room(self, shape: tuple[int, ...]) -> None:
        """Take memory for frames of another shape; graphs captured before are void, and nothing may be on the stream.

        Raises:
            InferenceError: there is not enough.
        """
        if self._buffer is not None:
            self._device.release(self._buffer)
            self._buffer = None
        self._buffer = self._device.buffer(shape, np.uint8)

    def write(self, frame: Array, part: tuple[slice, slice]) -> None:
        """Write rows and columns of *frame* (HxWx3 uint8, BGR) for the next runs, captured ones too."""
        np.copyto(self._required().host[part], frame[part])

    def aim(self, square: Square, fill: Color) -> None:
        """Say what the next runs cut, captured ones too; nothing may be on the stream."""
        self._crop.aim(square, fill)

    def enqueue_crop(self, out: int, out_px: int) -> None:
        """Enqueue the upload of the frame, and its crop to the address *out*, see :class:`CropKernel`."""
        self._device.send(self._required())
        self._crop.enqueue(self._required(), out, out_px)

    def _required(self) -> Buffer:
        if self._buffer is None:
            raise InferenceError("no frame was uploaded")
        return self._buffer
