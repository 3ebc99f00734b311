"""TensorRT's calibration cache: a text that gives each tensor the scale of its symmetric INT8.

The first line names TensorRT's version and the algorithm, e.g. ``TRT-8502-EntropyCalibration2``; each further line is
``NAME: HHHHHHHH``, the big-endian bits of the float32 scale ``amax / 127``.

Source: TensorRT 8.5 ``samples/common/sampleEngines.cpp``, ``readScalesFromCalibrationCache``.
"""

from __future__ import annotations

import math
import re
import struct
from typing import Dict, Mapping, Optional

from siamtrt.errors import ArtifactError, UsageError

_LEVELS = 127
_HEADER = re.compile(r"TRT-(\d{4,6})-EntropyCalibration2")
_LINE = re.compile(r"(.+): ([0-9a-f]{8})")
_HINT = "delete it, and the next build writes it anew"
_DEAD_HINT = "--calibrator ranges, whose ranges are never zero"


def file_name(graph: str) -> str:
    """Where the cache of *graph* lies in a calibration folder."""
    return f"{graph}.cache"


def header(tensorrt: str) -> str:
    """The first line of a cache for a TensorRT version such as ``8.5.2.2`` or ``10.9.0``.

    Raises:
        UsageError: *tensorrt* is no version.
    """
    numbers = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(?:\..*)?", tensorrt)
    if numbers is None:
        raise UsageError(f"{tensorrt!r} is no TensorRT version", hint="such as 8.5.2")
    major, minor, patch = (int(number) for number in numbers.groups())
    step = 1000 if major < 10 else 10_000  # as NV_TENSORRT_VERSION: 8.5.2 is 8502, 10.9.0 is 100900
    return f"TRT-{major * step + minor * 100 + patch}-EntropyCalibration2"


def serialize(amax: Mapping[str, float], tensorrt: str) -> bytes:
    """The cache that gives each tensor the range ``-amax..amax``.

    Args:
        amax: tensor name -> greatest magnitude, > 0.
        tensorrt: the version that shall read it, e.g. ``8.5.2.2``.

    Raises:
        UsageError: a range is not a positive number, a name cannot be written, or *tensorrt* is no version.
    """
    lines = [header(tensorrt), *(_line(name, value) for name, value in amax.items())]
    return ("\n".join(lines) + "\n").encode()


def parse(data: bytes, *, tensorrt: Optional[str] = None) -> Dict[str, float]:
    """Read a cache: tensor name -> amax, in its order.

    Args:
        data: the file's content.
        tensorrt: the version that must have written it; any when None.

    Raises:
        ArtifactError: the header is another one, a line is no entry, a name occurs twice, or a range is not positive:
            TensorRT's own calibration gives 0 to what was zero in every sample, and then cannot build with it.
    """
    try:
        first, *rest = data.decode().splitlines() or [""]
    except UnicodeDecodeError as error:
        raise ArtifactError("the calibration cache is no text", hint=_HINT) from error
    if not _HEADER.fullmatch(first):
        raise ArtifactError(f"the calibration cache starts with {first[:60]!r}, which is no header of one", hint=_HINT)
    if tensorrt is not None and first != header(tensorrt):
        raise ArtifactError(
            f"the calibration cache is {first}, TensorRT {tensorrt} needs {header(tensorrt)}", hint=_HINT
        )
    found: Dict[str, float] = {}
    for line in rest:
        entry = _LINE.fullmatch(line)
        if entry is None or entry[1] in found:
            raise ArtifactError(f"{line[:80]!r} is no line of a calibration cache, or its second one", hint=_HINT)
        scale = struct.unpack("!f", bytes.fromhex(entry[2]))[0]
        if not (math.isfinite(scale) and scale >= 0):
            raise ArtifactError(f"the calibration cache gives {entry[1]} the scale {scale}", hint=_HINT)
        found[entry[1]] = scale * _LEVELS
    dead = [name for name, amax in found.items() if amax == 0]
    if dead:
        raise ArtifactError(f"the calibration cache gives the scale 0 to {', '.join(dead)}", hint=_DEAD_HINT)
    return found


def _line(name: str, amax: float) -> str:
    if not (math.isfinite(amax) and amax > 0):
        raise UsageError(f"tensor {name!r} has the range {amax}", hint="calibrate anew; a range is a positive number")
    if not name or name.splitlines() != [name]:
        raise UsageError(f"a calibration cache cannot hold the tensor name {name!r}")
    return f"{name}: {struct.pack('!f', amax / _LEVELS).hex()}"
