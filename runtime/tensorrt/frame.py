"""The frame in memory that the GPU reads, and the crop of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.frames import Frame
from runtime.nv12 import Nv12Frame, Part
from runtime.tensorrt.crop import CropKernel, crop_bytes
from runtime.tensorrt.device import Device, rounded
from siamtrt import Array


class FrameOnGpu:
    """One frame at a time, in BGR or NV12, and what is cut out of it for one target or several.

    Args:
        device: the GPU.
        library: see :func:`runtime.tensorrt.compiled.load_kernels`.
        count: how many squares are cut in one run.
        staged: copy the part that is cut into the GPU's own memory first: it reads the host's in large words then, and
            the crop its own byte by byte.

    Attributes:
        crops: each cuts one square of the frame.
    """

    def __init__(self, device: Device, library: Any, *, count: int = 1, staged: bool = False) -> None:
        self._device, self._is_staged = device, staged
        self.crops = [CropKernel(device, library) for _ in range(count)]
        self._buffer = device.buffer((1, 1, 3), np.uint8)  # until a frame's shape is known
        self._staged: int | None = None

    def fits(self, frame: Frame) -> bool:
        """Whether *frame* has the shape that there is memory for; that of NV12 is another than that of BGR."""
        return self._buffer.host.shape == _pixels(frame).shape

    def make_room(self, frame: Frame) -> None:
        """Take memory for frames of the shape of *frame*. It voids captured graphs; nothing may be on the stream."""
        self._device.release(self._buffer)
        self._buffer = self._device.buffer(_pixels(frame).shape, np.uint8)
        if self._is_staged:
            if self._staged is not None:
                self._device.free(self._staged)
            self._staged = self._device.allocate(rounded(self._buffer.host.nbytes))

    def write(self, frame: Frame, part: Part) -> None:
        """Write rows and columns of *frame* for the next runs, captured ones too."""
        for piece in frame.parts(*part) if isinstance(frame, Nv12Frame) else (part,):
            np.copyto(self._buffer.host[piece], _pixels(frame)[piece])

    def enqueue_crop(self, out: int, out_px: int, *, count: int = 1) -> None:
        """Enqueue the upload of the frame, once, and the first *count* crops, see :meth:`CropKernel.enqueue`.

        Args:
            out: address of the first; the others follow each other.
            out_px: side of each.
            count: how many.
        """
        self._device.send(self._buffer)
        for number, crop in enumerate(self.crops[:count]):
            crop.enqueue(self._buffer, out + number * crop_bytes(out_px), out_px, staged=self._staged)


def _pixels(frame: Frame) -> Array:
    return frame.pixels if isinstance(frame, Nv12Frame) else frame
