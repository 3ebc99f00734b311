"""This project's CUDA kernels alone, on any GPU; TensorRT is not needed."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable

import numpy as np

from runtime.decode import Decoder, decoders
from runtime.tensorrt import compiled
from runtime.tensorrt.crop import CropKernel
from runtime.tensorrt.decode import DecodeKernel
from runtime.tensorrt.device import Buffer, Device, rounded
from siamtrt import ModelCard
from siamtrt.geometry import Square
from siamtrt.libraries.cuda import SPIN

_REPEATS, _ROUNDS = 200, 50
_HEIGHT_PX, _WIDTH_PX = 720, 1280


@dataclass(frozen=True)
class KernelTimes:
    """Median times of the kernels, in microseconds.

    Attributes:
        compute_capability: of the GPU.
        mapped: frame and box lie in memory that CPU and GPU share; else they are copied.
        kernels_us: each kernel at each search size, the launch apart: the crop out of 1280x720, once with its part
            of the frame staged in the GPU's own memory, once from NV12, and the choice with its box's way back.
        captured_us: search size -> upload, crop and decode of a frame, launched as a CUDA graph and waited for.
        plain_us: the same, launched one by one.
    """

    compute_capability: str
    mapped: bool
    kernels_us: dict[str, float]
    captured_us: dict[str, float]
    plain_us: dict[str, float]


def kernel_times(card: ModelCard) -> KernelTimes:
    """Time the kernels for a model.

    Raises:
        MissingDependencyError: CUDA or the compiled kernels are not on this machine.
        InferenceError: there is no usable GPU.
    """
    library, device = compiled.load_kernels(), Device(wait=SPIN)
    kernels_us, captured_us, plain_us = {}, {}, {}
    try:
        frame, in_nv12 = (
            _noise(device, shape) for shape in ((_HEIGHT_PX, _WIDTH_PX, 3), (_HEIGHT_PX // 2 * 3, _WIDTH_PX))
        )
        for size_px, decoder in decoders(card).items():
            cropping, out = CropKernel(device, library), device.allocate(3 * size_px * size_px * 4)
            cropping.aim(Square(_WIDTH_PX / 2, _HEIGHT_PX / 2, size_px * 3 // 2, size_px), (0, 0, 0))
            crop, choose = partial(cropping.enqueue, frame, out, size_px), _decoding(device, library, decoder).enqueue
            kernels_us[f"crop to {size_px} px"] = _on_gpu_us(device, crop)
            staged = device.allocate(rounded(frame.host.nbytes))
            kernels_us[f"crop to {size_px} px, staged"] = _on_gpu_us(device, partial(crop, staged=staged))
            from_nv12 = partial(cropping.enqueue, in_nv12, out, size_px)
            kernels_us[f"crop to {size_px} px from NV12"] = _on_gpu_us(device, from_nv12)
            kernels_us[f"choice of {decoder.window.size} cells"] = _on_gpu_us(device, choose)
            whole = partial(_in_turn, partial(device.send, frame), crop, choose)
            size = f"{size_px} px"
            captured_us[size], plain_us[size] = _frame_us(device, whole, captured=True), _frame_us(device, whole)
        return KernelTimes(device.compute_capability, device.mapped, kernels_us, captured_us, plain_us)
    finally:
        device.close()


def _noise(device: Device, shape: tuple[int, ...]) -> Buffer:
    """A frame of random bytes where the GPU reads it."""
    frame = device.buffer(shape, np.uint8)
    frame.host[...] = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    device.send(frame)
    return frame


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


def _in_turn(*steps: Callable[[], None]) -> None:
    for step in steps:
        step()


def _on_gpu_us(device: Device, enqueue: Callable[[], None]) -> float:
    """One run among many in a CUDA graph, so that the launch hardly counts."""
    return _frame_us(device, partial(_in_turn, *[enqueue] * _REPEATS), captured=True) / _REPEATS


def _frame_us(device: Device, enqueue: Callable[[], None], *, captured: bool = False) -> float:
    """Median of launching and waiting, the first one apart."""
    graph = device.capture(enqueue) if captured else None
    samples_ns = []
    for _ in range(1 + _ROUNDS):
        started_ns = time.perf_counter_ns()
        if graph is None:
            enqueue()
        else:
            device.launch(graph)
        device.synchronize()
        samples_ns.append(time.perf_counter_ns() - started_ns)
    if graph is not None:
        device.forget(graph)
    return statistics.median(samples_ns[1:]) / 1e3
