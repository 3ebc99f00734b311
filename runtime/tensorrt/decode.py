"""The decode kernel: it makes one box of 28 bytes of two score maps on the GPU."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from runtime.decode import Candidate, Decoder, no_numbers
from runtime.tensorrt.device import Device
from siamtrt import Array

# siamtrt_last and siamtrt_found of kernels/decode.h
LAST = np.dtype([("width", np.float32), ("height", np.float32)])
FOUND = np.dtype(
    [(name, np.float32) for name in ("x", "y", "width", "height", "score", "penalty")] + [("index", np.int32)]
)


class Maps(ctypes.Structure):
    """``siamtrt_maps`` of kernels/decode.h."""

    _fields_ = (
        ("cls", ctypes.c_void_p),
        ("loc", ctypes.c_void_p),
        ("grid", ctypes.c_void_p),
        ("window", ctypes.c_void_p),
        ("count", ctypes.c_int32),
        ("is_points", ctypes.c_int32),
        ("score_share", ctypes.c_double),
        ("penalty_k", ctypes.c_float),
    )


class DecodeKernel:
    """Chooses the box of each response of one search size.

    Args:
        device: the GPU.
        library: see :func:`runtime.tensorrt.compiled.load_kernels`.
        decoder: what it has to equal.
        cls: address of the map on the GPU, (2A, R, R) float32.
        loc: address of the other one, (4A, R, R) float32.
    """

    def __init__(self, device: Device, library: Any, decoder: Decoder, cls: int, loc: int) -> None:
        self._device, self._library = device, library
        self._last = device.buffer((1,), LAST, mapped=True)
        self._found = device.buffer((1,), FOUND)
        self.aim(1.0, 1.0)
        grid, window = (_constant(device, values) for values in (decoder.grid, decoder.window))
        self._maps = maps_of(decoder, cls, loc, grid, window)

    def aim(self, width: float, height: float) -> None:
        """Say how large the target was last, in crop pixels, for the next runs; nothing may be on the stream."""
        self._last.host["width"], self._last.host["height"] = width, height

    def enqueue(self) -> None:
        """Enqueue the choice and its way back to the host.

        Raises:
            InferenceError: CUDA refused.
        """
        status = self._library.siamtrt_decode(
            ctypes.byref(self._maps),
            ctypes.c_void_p(self._last.address),
            ctypes.c_void_p(self._found.address),
            ctypes.c_void_p(self._device.stream),
        )
        self._device.check(status, "decoding")
        self._device.fetch(self._found)

    def found(self) -> Candidate:
        """The choice, once the stream was waited for.

        Raises:
            InferenceError: the network put out scores that are no numbers.
        """
        return candidate(self._found.host)


def maps_of(decoder: Decoder, cls: int, loc: int, grid: int, window: int) -> Maps:
    """What the kernel takes of one head, the addresses included."""
    count, share = decoder.window.size, 1.0 - decoder.influence
    return Maps(cls, loc, grid, window, count, decoder.is_points, share, decoder.penalty_k)


def candidate(found: Array) -> Candidate:
    """Read an array of one ``FOUND``.

    Raises:
        InferenceError: the network put out scores that are no numbers.
    """
    x, y, width, height, score, penalty, index = found[0].tolist()
    if index < 0:
        raise no_numbers()
    return Candidate(x, y, width, height, score, penalty)


def _constant(device: Device, values: Array) -> int:
    """Address of a copy on the GPU."""
    buffer = device.buffer(values.shape, values.dtype, mapped=False)
    buffer.host[...] = values
    device.send(buffer)
    device.synchronize()
    return buffer.address
