"""The compiled CUDA kernels of this folder's ``kernels/``."""

from __future__ import annotations

import ctypes
import hashlib
from pathlib import Path
from typing import Any

from siamtrt import MissingDependencyError

_KERNELS = Path(__file__).parent / "kernels"
_LIBRARY = _KERNELS / "libsiamtrt_kernels.so"


def load_kernels() -> Any:
    """Load the compiled kernels.

    Raises:
        MissingDependencyError: they are not compiled, not for this machine, or not from the sources of this revision.
    """
    way_out = f"sh {_KERNELS / 'build.sh'} sm_72"
    try:
        library = ctypes.CDLL(str(_LIBRARY))
    except OSError as error:
        raise MissingDependencyError(f"the CUDA kernels cannot be loaded: {error}", hint=way_out) from error
    if _digest_in(library) != _digest():
        raise MissingDependencyError("the CUDA kernels were compiled from other sources", hint=way_out)
    return library


def _digest() -> str:
    """That of the sources, as ``build.sh`` computes it."""
    content = b"".join(path.read_bytes() for kind in ("*.cu", "*.h") for path in sorted(_KERNELS.glob(kind)))
    return hashlib.sha256(content).hexdigest()[:16]


def _digest_in(library: Any) -> str | None:
    """That of the sources a library was compiled from; None for one from before it was kept."""
    try:
        told = library.siamtrt_sources
    except AttributeError:
        return None
    told.restype = ctypes.c_char_p
    return bytes(told()).decode()
