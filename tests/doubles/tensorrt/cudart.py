"""libcudart as far as this project calls it: memory of the GPU is memory of the process, a stream is a queue.

What is enqueued runs at the next synchronisation and not before, so that a missing one shows.
"""

from __future__ import annotations

import ctypes

import numpy as np

ATTRIBUTES = {75: 7, 76: 2, 18: 1}
OUT_OF_MEMORY = 2
CAPTURE_INVALIDATED = 901
SET_ON_ACTIVE_PROCESS = 708


def _int(value):
    return (value.value or 0) if hasattr(value, "value") else value


class Cudart:
    def __init__(self, *, integrated=True, memory_bytes=1 << 33, can_capture=True):
        self.schedule, self.is_in_use = 0, False
        self.can_capture, self.last_error = can_capture, 0
        self.attributes = {**ATTRIBUTES, 18: int(integrated)}
        self.free_bytes = memory_bytes
        self.memory = {}
        self.queue = []
        self.recording = None
        self.graphs = {}
        self.calls = []
        self.copied = {1: 0, 2: 0, 3: 0}
        self.cudaGetErrorString = _ErrorString()

    def enqueue(self, stream, operation):
        """Put a function on the stream, or into the graph that is being captured."""
        assert stream, "the default stream must not be used"
        (self.queue if self.recording is None else self.recording).append(operation)

    def view(self, address, size_bytes):
        """Memory at an address, refused where it is not allocated."""
        assert any(
            base <= address and address + size_bytes <= base + block.nbytes for base, block in self.memory.items()
        )
        return (ctypes.c_uint8 * size_bytes).from_address(address)

    def count(self, name):
        return self.calls.count(name)

    def forget_calls(self):
        self.calls.clear()
        self.copied = {1: 0, 2: 0, 3: 0}

    def cudaDeviceGetAttribute(self, out, attribute, device):  # noqa: N802
        out._obj.value = self.attributes[attribute]
        return 0

    def cudaGetDeviceFlags(self, out):  # noqa: N802
        out._obj.value = self.schedule | 8  # mapped memory is always allowed
        return 0

    def cudaSetDeviceFlags(self, flags):  # noqa: N802
        if self.is_in_use:
            return SET_ON_ACTIVE_PROCESS
        self.schedule = _int(flags) & 7
        return 0

    def cudaMalloc(self, out, size):  # noqa: N802
        return self._allocate("cudaMalloc", out, size)

    def cudaHostAlloc(self, out, size, flags):  # noqa: N802
        assert flags == 2, "mapped"
        return self._allocate("cudaHostAlloc", out, size)

    def cudaHostGetDevicePointer(self, out, pointer, flags):  # noqa: N802
        assert flags == 0
        assert _int(pointer) in self.memory
        out._obj.value = _int(pointer)
        return 0

    def cudaFree(self, pointer):  # noqa: N802
        del self.memory[_int(pointer)]
        return 0

    cudaFreeHost = cudaFree  # noqa: N815

    def cudaMemcpyAsync(self, to, origin, size, kind, stream):  # noqa: N802
        to, origin, size = _int(to), _int(origin), _int(size)
        self.calls.append("cudaMemcpyAsync")

        def copy():
            self.copied[kind] += size
            ctypes.memmove(self.view(to, size), self.view(origin, size), size)

        self.enqueue(_int(stream), copy)
        return 0

    def cudaMemcpy(self, to, origin, size, kind):  # noqa: N802
        assert kind == 1
        assert self.recording is None
        self.calls.append("cudaMemcpy")
        ctypes.memmove(self.view(_int(to), _int(size)), _int(origin), _int(size))
        return 0

    def cudaStreamCreateWithFlags(self, out, flags):  # noqa: N802
        assert flags == 1, "the legacy stream must not hold it up"
        self.is_in_use = True
        out._obj.value = 0x57
        return 0

    def cudaStreamDestroy(self, stream):  # noqa: N802
        return 0

    def cudaStreamSynchronize(self, stream):  # noqa: N802
        assert self.recording is None, "a capture forbids synchronisation"
        self.calls.append("cudaStreamSynchronize")
        while self.queue:
            self.queue.pop(0)()
        return 0

    def cudaStreamBeginCapture(self, stream, mode):  # noqa: N802
        assert self.recording is None
        assert mode == 1, "thread-local"
        self.recording = []
        return 0

    def cudaStreamEndCapture(self, stream, out):  # noqa: N802
        self.graphs[len(self.graphs) + 1], self.recording = self.recording, None
        out._obj.value = len(self.graphs)
        self.last_error = 0 if self.can_capture else CAPTURE_INVALIDATED
        return self.last_error

    def cudaGetLastError(self):  # noqa: N802
        error, self.last_error = self.last_error, 0
        return error

    def cudaGraphInstantiateWithFlags(self, out, graph, flags):  # noqa: N802
        assert _int(flags) == 0
        self.calls.append("capture")
        out._obj.value = _int(graph)
        return 0

    def cudaGraphDestroy(self, graph):  # noqa: N802
        return 0

    def cudaGraphLaunch(self, graph, stream):  # noqa: N802
        self.calls.append("cudaGraphLaunch")
        self.queue.extend(self.graphs[_int(graph)])
        return 0

    def cudaGraphExecDestroy(self, graph):  # noqa: N802
        self.graphs[_int(graph)] = None
        return 0

    def _allocate(self, name, out, size):
        assert self.recording is None, "a capture forbids allocation"
        self.calls.append(name)
        if _int(size) > self.free_bytes:
            return OUT_OF_MEMORY
        self.free_bytes -= _int(size)
        block = np.full(_int(size) + 255, 0xA5, np.uint8)  # never zeros: what was not written must show
        block = block[-block.ctypes.data % 256 :][: _int(size)]  # aligned as CUDA's memory is
        self.memory[block.ctypes.data] = block
        out._obj.value = block.ctypes.data
        return 0


class _ErrorString:
    restype = None

    def __call__(self, status):
        return {
            CAPTURE_INVALIDATED: b"operation failed due to a previous error during capture",
            OUT_OF_MEMORY: b"out of memory",
            SET_ON_ACTIVE_PROCESS: b"cannot set while device is active in this process",
            209: b"no kernel image is available",
            999: b"unknown error",
        }[status]


class Kernels:
    """The kernels compiled for the CPU, put on the stream instead of run at once."""

    def __init__(self, cudart, library):
        self._cudart, self._library = cudart, library

    def siamtrt_crop(self, *arguments):
        return self._launch("siamtrt_crop", arguments)

    def siamtrt_stage(self, frame, width, height, is_nv12, square, staged, stream):
        size = -(-width * height * 3 // (2 if is_nv12 else 1) // 16) * 16
        for address in (frame, staged):
            self._cudart.view(_int(address), size)  # what is read in words is there to its end
        self._cudart.calls.append("stage")
        return self._launch("siamtrt_stage", (frame, width, height, is_nv12, square, staged, stream))

    def _launch(self, name, arguments):
        self._cudart.enqueue(_int(arguments[-1]), lambda: getattr(self._library, name)(*arguments))
        return self._cudart.cudaGetLastError()  # as the real one asks after its launch

    def siamtrt_decode(self, maps, *arguments):
        copied = type(maps._obj).from_buffer_copy(maps._obj)
        self._cudart.enqueue(
            _int(arguments[-1]), lambda: self._library.siamtrt_decode(ctypes.byref(copied), *arguments)
        )
        return 0
