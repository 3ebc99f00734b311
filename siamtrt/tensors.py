"""Names, shapes and types of what goes into and comes out of a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Tuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Tensors = Dict[str, Array]


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a graph: static shape, numpy dtype name such as ``float32``."""

    name: str
    shape: Tuple[int, ...]
    dtype: str = "float32"

    @property
    def size_bytes(self) -> int:
        """Bytes of one such tensor."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize
