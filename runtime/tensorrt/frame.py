"""The frame in memory that the GPU reads, and the crop of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.tensorrt.crop import CropKernel
from runtime.tensorrt.device import Device
from siamtrt import Array


class FrameOnGpu:
    """One frame at a time, and what is cut out of it.

    Args:
        device: the GPU.
        library: see :func:`runtime.tensorrt.compiled.load_kernels`.

    Attributes:
        crop: cuts one square of the frame.
    """

    def __init__(self, device: Device, library: Any) -> None:
        self._device, self.crop = device, CropKernel(device, library)
        self._buffer = device.buffer((1, 1, 3), np.uint8)  # until a frame's shape is known

    def fits(self, frame: Array) -> bool:
        """Whether *frame* has the shape that there is memory for."""
        return self._buffer.host.shape == frame.shape

    def make_room(self, shape: tuple[int, ...]) -> None:
        """Take memory for frames of another shape. It voids captured graphs, and nothing may be on the stream."""
        self._device.release(self._buffer)
        self._buffer = self._device.buffer(shape, np.uint8)

    def write(self, frame: Array, part: tuple[slice, slice]) -> None:
        """Write rows and columns of *frame* (HxWx3 uint8, BGR) for the next runs, captured ones too."""
        np.copyto(self._buffer.host[part], frame[part])

    def enqueue_crop(self, out: int, out_px: int) -> None:
        """Enqueue the upload of the frame, and its crop, see :meth:`CropKernel.enqueue`."""
        self._device.send(self._buffer)
        self.crop.enqueue(self._buffer, out, out_px)
