"""The compiled CUDA kernels of this folder's ``kernels/``."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

from siamtrt import MissingDependencyError

_LIBRARY = Path(__file__).parent / "kernels" / "libsiamtrt_kernels.so"


def load_kernels() -> Any:
    """Load the compiled kernels.

    Raises:
        MissingDependencyError: they are not compiled, or not for this machine.
    """
    try:
        return ctypes.CDLL(str(_LIBRARY))
    except OSError as error:
        raise MissingDependencyError(
            f"the CUDA kernels cannot be loaded: {error}", hint=f"sh {_LIBRARY.parent / 'build.sh'} sm_72"
        ) from error
