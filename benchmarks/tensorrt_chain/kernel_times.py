"""How long the project's own kernels take on the GPU, the launch apart."""

from __future__ import annotations

import statistics
import time
from functools import partial
from typing import Any, Callable, Dict

import numpy as np

from runtime.decode import Decoder, decoders
from runtime.matcher import Square
from runtime.tensorrt import compiled
from runtime.tensorrt.crop import CropKernel
from runtime.tensorrt.decode import DecodeKernel
from runtime.tensorrt.device import Device
from runtime.tensorrt.search import size_bytes
from siamtrt import ModelCard

_REPEATS, _ROUNDS = 200, 20
_HEIGHT_PX, _WIDTH_PX = 720, 1280


def kernel_times_us(card: ModelCard) -> Dict[str, float]:
    """Microseconds of each kernel at each search size: the crop out of 1280x720, the choice with its box's way back.

    Raises:
        MissingDependencyError: CUDA or the compiled kernels are not on this machine.
        InferenceError: there is no usable GPU.
    """
    device, library = Device(), compiled.load_kernels()
    try:
        frame = device.buffer((_HEIGHT_PX, _WIDTH_PX, 3), np.uint8)
        frame.host[...] = np.random.default_rng(0).integers(0, 256, frame.host.shape, dtype=np.uint8)
        device.send(frame)
        found = {}
        for size_px, decoder in decoders(card).items():
            cropping, out = CropKernel(device, library), device.allocate(size_bytes((3, size_px, size_px)))
            cropping.aim(Square(_WIDTH_PX / 2, _HEIGHT_PX / 2, size_px * 3 // 2, size_px), (0, 0, 0))
            found[f"crop to {size_px} px"] = _time_us(device, partial(cropping.enqueue, frame, out, size_px))
            decoding = _decoding(device, library, decoder)
            found[f"choice of {decoder.window.size} cells"] = _time_us(device, decoding.enqueue)
        return found
    finally:
        device.close()


def _decoding(device: Device, library: Any, decoder: Decoder) -> DecodeKernel:
    """A decode of random maps."""
    rng, count = np.random.default_rng(0), decoder.window.size
    maps = []
    for planes in (2, 4):
        buffer = device.buffer((planes, count), np.float32, mapped=False)
        buffer.host[...] = rng.random(buffer.host.shape, dtype=np.float32)
        device.send(buffer)
        maps.append(buffer.address)
    decoding = DecodeKernel(device, library, decoder, *maps)
    decoding.aim(60, 40)
    return decoding


def _time_us(device: Device, enqueue: Callable[[], None]) -> float:
    """Median of one run among many in a CUDA graph."""

    def many() -> None:
        for _ in range(_REPEATS):
            enqueue()

    graph = device.capture(many)
    samples_ns = []
    for _ in range(_ROUNDS):
        started_ns = time.perf_counter_ns()
        device.launch(graph)
        device.synchronize()
        samples_ns.append(time.perf_counter_ns() - started_ns)
    device.forget(graph)
    return statistics.median(samples_ns) / _REPEATS / 1e3
