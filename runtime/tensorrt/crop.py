"""The crop kernel: where it lies, and what it is told."""

from __future__ import annotations

import ctypes
import math
from pathlib import Path
from typing import Any

import numpy as np

from runtime.matcher import Color, Square
from siamtrt import Array, MissingDependencyError

_LIBRARY = Path(__file__).parent / "kernels" / "libsiamtrt_crop.so"

# siamtrt_square of kernels/crop.h
SQUARE = np.dtype([("left", np.int32), ("top", np.int32), ("side", np.int32), ("fill", np.int32, (3,))])


def load_kernels() -> Any:
    """Open the compiled kernels.

    Raises:
        MissingDependencyError: they are not compiled, or not for this machine.
    """
    try:
        return ctypes.CDLL(str(_LIBRARY))
    except OSError as error:
        raise MissingDependencyError(
            f"the CUDA kernels cannot be loaded: {error}", hint=f"sh {_LIBRARY.parent / 'build.sh'} sm_72"
        ) from error


def aim(told: Array, square: Square, fill: Color) -> None:
    """Tell the kernel what to cut.

    Args:
        told: array of one ``SQUARE`` in memory that the GPU reads; overwritten.
        square: the region, cut as :func:`runtime.crop.crop` does.
        fill: BGR value outside the frame.
    """
    half = (square.side_px + 1) / 2
    told["left"] = math.floor(square.center_x - half + 0.5)
    told["top"] = math.floor(square.center_y - half + 0.5)
    told["side"] = square.side_px
    told["fill"] = fill
