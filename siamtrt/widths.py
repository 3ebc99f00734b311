"""What a convolution takes at any widths: the table that profiling writes and pruning to a latency reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Tuple

from siamtrt.documents import Format, build
from siamtrt.errors import ArtifactError

_FORMAT = Format("a table of widths", schema=1, kind="widths", hint="python -m benchmarks widths")


@dataclass(frozen=True)
class ConvTimes:
    """Times of one shape of convolution over a grid of widths.

    Attributes:
        inputs: widths that were timed, ascending; one entry, 1, for a depthwise convolution.
        outputs: widths that were timed, ascending.
        ms: a row for each of ``outputs``, a column for each of ``inputs``.
    """

    inputs: Tuple[int, ...]
    outputs: Tuple[int, ...]
    ms: Tuple[Tuple[float, ...], ...]


def shape_key(kernel: int, stride: int, dilation: int, padding: int, input_px: int, *, depthwise: bool) -> str:
    """The name of a shape, e.g. ``3x3 s1 d2 p2 31px`` or the same with ``depthwise``."""
    return f"{kernel}x{kernel} s{stride} d{dilation} p{padding} {input_px}px" + (" depthwise" if depthwise else "")


def save_times(path: Path, shapes: Mapping[str, ConvTimes], about: Mapping[str, Any]) -> None:
    """Write the times of *shapes* with what they are of.

    Raises:
        ArtifactError: *path* cannot be written.
    """
    _FORMAT.save(path, {"shapes": {name: asdict(times) for name, times in shapes.items()}, "about": dict(about)})


def load_times(path: Path) -> Dict[str, ConvTimes]:
    """Read the times that :func:`save_times` wrote.

    Raises:
        ArtifactError: the file is absent or no such table.
    """
    shapes = _FORMAT.load(path).get("shapes")
    if not isinstance(shapes, dict):
        raise ArtifactError(f"{path} has no table of shapes", hint=_FORMAT.hint)
    try:
        return {str(name): build(ConvTimes, times) for name, times in shapes.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} is not {_FORMAT.what}: {error}", hint=_FORMAT.hint) from error
