"""Memory, the one stream, and CUDA graphs, by the CUDA runtime library."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from siamtrt import Array
from siamtrt.libraries import cuda

_HOST_ALLOC_MAPPED = 2
_HOST_TO_DEVICE, _DEVICE_TO_HOST, _ON_DEVICE = 1, 2, 3
_STREAM_NON_BLOCKING = 1
_CAPTURE_THREAD_LOCAL = 1
_WORD_BYTES = 16  # the most that a thread loads at once


def rounded(size_bytes: int) -> int:
    """The size of memory that is read in whole words."""
    return -(-size_bytes // _WORD_BYTES) * _WORD_BYTES


@dataclass(frozen=True)
class Buffer:
    """Memory that the host writes or reads and the GPU uses.

    Attributes:
        host: the array on the host.
        host_address: of that array.
        address: on the GPU; where memory is shared, the same memory.
        mapped: host and GPU see the same memory, so nothing has to be copied.
    """

    host: Array
    host_address: int
    address: int
    mapped: bool


class Device:
    """The GPU as one chain uses it.

    Args:
        mapped: let the GPU use host memory in place instead of copying; by default where they share one memory.
        wait: how the process waits for the GPU, one of :data:`siamtrt.libraries.cuda.WAITS`; None leaves it to CUDA.

    Raises:
        MissingDependencyError: there is no CUDA runtime.
        InferenceError: there is no usable GPU, or this process waits in another way already.
    """

    def __init__(self, mapped: bool | None = None, *, wait: str | None = None) -> None:
        self._lib = cuda.load()
        if wait is not None:
            cuda.wait_by(self._lib, wait)
        self.compute_capability = cuda.compute_capability(self._lib)
        self.mapped = cuda.shares_memory(self._lib) if mapped is None else mapped
        self._allocated: list[tuple[str, int]] = []
        handle = ctypes.c_void_p()
        self.check(self._lib.cudaStreamCreateWithFlags(ctypes.byref(handle), _STREAM_NON_BLOCKING), "making a stream")
        self.stream = int(handle.value or 0)

    def check(self, status: int, doing: str) -> None:
        """Refuse a failed call.

        Raises:
            InferenceError: *status* is not success.
        """
        cuda.check(self._lib, status, doing)

    def allocate(self, size_bytes: int) -> int:
        """Memory of the GPU, freed by :meth:`close`.

        Raises:
            InferenceError: there is not enough.
        """
        pointer = ctypes.c_void_p()
        status = self._lib.cudaMalloc(ctypes.byref(pointer), ctypes.c_size_t(size_bytes))
        self.check(status, f"allocating {size_bytes / 1e6:.1f} MB")
        address = int(pointer.value or 0)
        self._allocated.append(("cudaFree", address))
        return address

    def buffer(self, shape: tuple[int, ...], dtype: Any, *, mapped: bool | None = None) -> Buffer:
        """Page-locked memory of the host and its place on the GPU, freed by :meth:`close`.

        Raises:
            InferenceError: there is not enough.
        """
        size_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        pointer, on_device = ctypes.c_void_p(), ctypes.c_void_p()
        room = ctypes.c_size_t(rounded(size_bytes))
        status = self._lib.cudaHostAlloc(ctypes.byref(pointer), room, _HOST_ALLOC_MAPPED)
        self.check(status, f"allocating {size_bytes / 1e6:.1f} MB of the host")
        host_address = int(pointer.value or 0)
        self._allocated.append(("cudaFreeHost", host_address))
        host = np.frombuffer((ctypes.c_uint8 * size_bytes).from_address(host_address), dtype).reshape(shape)
        shared = self.mapped if mapped is None else mapped
        if not shared:
            return Buffer(host, host_address, self.allocate(size_bytes), mapped=False)
        self.check(self._lib.cudaHostGetDevicePointer(ctypes.byref(on_device), pointer, 0), "mapping host memory")
        return Buffer(host, host_address, int(on_device.value or 0), mapped=True)

    def send(self, buffer: Buffer) -> None:
        """Enqueue the copy of a buffer to the GPU."""
        if not buffer.mapped:
            self._copy(buffer.address, buffer.host_address, buffer.host.nbytes, _HOST_TO_DEVICE)

    def fetch(self, buffer: Buffer) -> None:
        """Enqueue the copy of a buffer from the GPU."""
        if not buffer.mapped:
            self._copy(buffer.host_address, buffer.address, buffer.host.nbytes, _DEVICE_TO_HOST)

    def move(self, to: int, origin: int, size_bytes: int) -> None:
        """Enqueue a copy from one place on the GPU to another."""
        self._copy(to, origin, size_bytes, _ON_DEVICE)

    def synchronize(self) -> None:
        """Wait until all that was enqueued is done.

        Raises:
            InferenceError: some of it failed.
        """
        self.check(self._lib.cudaStreamSynchronize(ctypes.c_void_p(self.stream)), "waiting for the GPU")

    def capture(self, enqueue: Callable[[], None]) -> int:
        """Record what *enqueue* puts on the stream as a CUDA graph, ready to be launched.

        Raises:
            InferenceError: some of it cannot be recorded.
        """
        stream, graph, ready = ctypes.c_void_p(self.stream), ctypes.c_void_p(), ctypes.c_void_p()
        self.check(self._lib.cudaStreamBeginCapture(stream, _CAPTURE_THREAD_LOCAL), "starting a capture")
        try:
            enqueue()
        finally:
            status = self._lib.cudaStreamEndCapture(stream, ctypes.byref(graph))
            self._lib.cudaGetLastError()  # what a refused capture left would be taken for an error of the next kernel
        self.check(status, "ending a capture")
        status = self._lib.cudaGraphInstantiateWithFlags(ctypes.byref(ready), graph, ctypes.c_ulonglong(0))
        self._lib.cudaGraphDestroy(graph)
        self.check(status, "preparing a CUDA graph")
        return int(ready.value or 0)

    def launch(self, graph: int) -> None:
        """Enqueue a captured graph."""
        self.check(
            self._lib.cudaGraphLaunch(ctypes.c_void_p(graph), ctypes.c_void_p(self.stream)), "launching a CUDA graph"
        )

    def forget(self, graph: int) -> None:
        """Free a captured graph."""
        self.check(self._lib.cudaGraphExecDestroy(ctypes.c_void_p(graph)), "freeing a CUDA graph")

    def release(self, buffer: Buffer) -> None:
        """Free a buffer before :meth:`close` does; nothing may be on the stream."""
        places = [("cudaFreeHost", buffer.host_address)]
        if not buffer.mapped:
            places.append(("cudaFree", buffer.address))
        for place in places:
            self._free(place)

    def free(self, address: int) -> None:
        """Free memory of :meth:`allocate` before :meth:`close` does; nothing may be on the stream."""
        self._free(("cudaFree", address))

    def close(self) -> None:
        """Free all memory and the stream."""
        while self._allocated:
            function, address = self._allocated.pop()
            getattr(self._lib, function)(ctypes.c_void_p(address))
        if self.stream:
            self._lib.cudaStreamDestroy(ctypes.c_void_p(self.stream))
            self.stream = 0

    def _free(self, place: tuple[str, int]) -> None:
        self._allocated.remove(place)
        self.check(getattr(self._lib, place[0])(ctypes.c_void_p(place[1])), "freeing memory")

    def _copy(self, to: int, origin: int, size_bytes: int, kind: int) -> None:
        status = self._lib.cudaMemcpyAsync(
            ctypes.c_void_p(to),
            ctypes.c_void_p(origin),
            ctypes.c_size_t(size_bytes),
            kind,
            ctypes.c_void_p(self.stream),
        )
        self.check(status, f"copying {size_bytes} bytes")
