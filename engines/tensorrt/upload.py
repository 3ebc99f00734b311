"""Samples on the GPU, one after the other in the same place."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import TracebackType

import numpy as np

from engines.int8 import read_sample
from siamtrt.libraries import cuda

_HOST_TO_DEVICE = 1


class Upload:
    """Memory of the GPU for one sample, freed at the end of its ``with`` block.

    Args:
        shape: the shape of a sample in float32.

    Raises:
        MissingDependencyError: there is no CUDA runtime.
        InferenceError: there is no usable GPU, or not enough memory.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape, self._lib, self._pointer = shape, cuda.load(), ctypes.c_void_p()
        size_bytes = 4 * int(np.prod(shape))
        status = self._lib.cudaMalloc(ctypes.byref(self._pointer), ctypes.c_size_t(size_bytes))
        cuda.check(self._lib, status, f"allocating {size_bytes / 1e6:.1f} MB")

    def __call__(self, path: Path) -> int:
        """Put one sample there and return the address, the same each time.

        Raises:
            ArtifactError: it cannot be read, or has another shape.
            InferenceError: it cannot be copied.
        """
        sample = read_sample(path, self._shape)
        source = ctypes.c_void_p(sample.ctypes.data)
        status = self._lib.cudaMemcpy(self._pointer, source, ctypes.c_size_t(sample.nbytes), _HOST_TO_DEVICE)
        cuda.check(self._lib, status, f"copying {path.name}")
        return int(self._pointer.value or 0)

    def __enter__(self) -> Upload:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lib.cudaFree(self._pointer)
