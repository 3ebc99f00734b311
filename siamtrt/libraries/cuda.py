"""The CUDA runtime library through ctypes: what it is on this machine, and what its statuses mean.

pycuda knows no stream capture, so the project talks to ``libcudart`` itself and needs no package for it.
"""

from __future__ import annotations

import contextlib
import ctypes
from typing import Any

from siamtrt.errors import InferenceError, MissingDependencyError

_NAMES = (
    "libcudart.so",
    "/usr/local/cuda/lib64/libcudart.so",
    "libcudart.so.11.0",
    "libcudart.so.12",
    "libcudart.so.13",
)
_HINTS = {
    2: "close other programs; on a Jetson CPU and GPU share the memory ('free -m')",
    35: "use the container that fits the driver: JetPack 5's image on JetPack 5, see docs/jetson.md",
    708: "another way to wait was chosen in this process; start a program of its own",
    209: "compile the kernels for this GPU: sh runtime/tensorrt/kernels/build.sh sm_72 (a Xavier's architecture)",
}
_OTHER_HINT = "start the program anew; if it repeats, 'dmesg' tells what the GPU reported"
SPIN, BLOCK = WAITS = ("spin", "block")
_SCHEDULES = {SPIN: 1, BLOCK: 4}  # of the schedules of CUDA, driver_types.h
_ALL_SCHEDULES = 7
_COMPUTE_CAPABILITY_MAJOR, _COMPUTE_CAPABILITY_MINOR, _INTEGRATED = 75, 76, 18  # cudaDeviceAttr


def load() -> Any:
    """Open the CUDA runtime library.

    Raises:
        MissingDependencyError: there is none.
    """
    for name in _NAMES:
        with contextlib.suppress(OSError):
            return ctypes.CDLL(name)
    raise MissingDependencyError(
        "the CUDA runtime library libcudart.so is not on this machine",
        hint="on a Jetson use the container of docs/jetson.md, elsewhere --backend onnxruntime",
    )


def check(lib: Any, status: int, doing: str) -> None:
    """Refuse a failed call.

    Args:
        lib: the library.
        status: what the call returned.
        doing: the action, for the message.

    Raises:
        InferenceError: *status* is not success.
    """
    if status == 0:
        return
    lib.cudaGetErrorString.restype = ctypes.c_char_p
    text = lib.cudaGetErrorString(status).decode(errors="replace")
    raise InferenceError(f"CUDA failed while {doing}: {text} (error {status})", hint=_HINTS.get(status, _OTHER_HINT))


def wait_by(lib: Any, way: str) -> None:
    """Choose how this process waits for the GPU; to be called before it does anything there.

    Left alone, a Jetson chooses by its power profile, and a thread that sleeps takes its time to wake in each frame.

    Args:
        lib: the library.
        way: ``spin``: on a core, at once; ``block``: asleep, so that the core is free.

    Raises:
        InferenceError: this process chose otherwise before.
    """
    flags = ctypes.c_uint()
    check(lib, lib.cudaGetDeviceFlags(ctypes.byref(flags)), "asking how to wait")
    if flags.value & _ALL_SCHEDULES != _SCHEDULES[way]:
        wanted = flags.value & ~_ALL_SCHEDULES | _SCHEDULES[way]
        check(lib, lib.cudaSetDeviceFlags(ctypes.c_uint(wanted)), f"choosing to wait by {way}")


def compute_capability(lib: Any) -> str:
    """The compute capability of the first GPU, e.g. ``7.2`` on a Xavier.

    Raises:
        InferenceError: there is no usable GPU.
    """
    return f"{_attribute(lib, _COMPUTE_CAPABILITY_MAJOR)}.{_attribute(lib, _COMPUTE_CAPABILITY_MINOR)}"


def shares_memory(lib: Any) -> bool:
    """Whether GPU and CPU share one memory, as on a Jetson.

    Raises:
        InferenceError: there is no usable GPU.
    """
    return _attribute(lib, _INTEGRATED) == 1


def _attribute(lib: Any, attribute: int) -> int:
    value = ctypes.c_int()
    check(lib, lib.cudaDeviceGetAttribute(ctypes.byref(value), attribute, 0), "asking what the GPU is")
    return value.value
