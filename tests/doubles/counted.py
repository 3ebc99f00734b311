"""Counts what goes through the CUDA runtime, the copies inside captured graphs included."""

from __future__ import annotations

from collections import Counter


class Counted:
    """A CUDA runtime library, real or a double, that counts.

    Attributes:
        calls: function -> how often it was called.
        copied: kind of ``cudaMemcpyAsync`` -> bytes; those of a graph at each launch.
    """

    def __init__(self, library):
        self._library = library
        self._captured, self._graphs = None, {}
        self.forget()

    def forget(self):
        self.calls, self.copied = Counter(), Counter()

    def __getattr__(self, name):
        function = getattr(self._library, name)
        watch = getattr(self, f"_saw_{name}", None)
        if not name.startswith("cuda") or name == "cudaGetErrorString":
            return function

        def call(*arguments):
            status = function(*arguments)
            self.calls[name] += 1
            if watch:
                watch(*arguments)
            return status

        return call

    def _saw_cudaMemcpyAsync(self, to, origin, size, kind, stream):  # noqa: N802
        (self.copied if self._captured is None else self._captured)[kind] += size.value

    def _saw_cudaStreamBeginCapture(self, stream, mode):  # noqa: N802
        self._captured = Counter()

    def _saw_cudaStreamEndCapture(self, stream, graph):  # noqa: N802
        self._ended, self._captured = self._captured, None

    def _saw_cudaGraphInstantiateWithFlags(self, ready, graph, flags):  # noqa: N802
        self._graphs[ready._obj.value] = self._ended

    def _saw_cudaGraphLaunch(self, ready, stream):  # noqa: N802
        self.copied.update(self._graphs[ready.value])
