"""What values the tensors of a graph take: the file that calibration writes and the INT8 builders read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Dict

from siamtrt.documents import Format
from siamtrt.errors import ArtifactError
from siamtrt.files import sha256

_FORMAT = Format("a file of activation ranges", schema=1, hint="calibrate anew")


@dataclass(frozen=True)
class TensorRange:
    """The values one activation tensor is quantised over, in its own unit.

    Attributes:
        low: least value an asymmetric 8-bit scheme keeps, <= 0.
        high: greatest value it keeps, >= 0; not equal to ``low``.
        amax: greatest magnitude a symmetric scheme keeps, > 0; TensorRT's scale is ``amax / 127``.
        method: how the three were chosen from what was seen: ``minmax``, ``percentile`` or ``entropy``.
    """

    low: float
    high: float
    amax: float
    method: str

    def __post_init__(self) -> None:
        if not (isfinite(self.low) and isfinite(self.high) and isfinite(self.amax)):
            raise ValueError(f"a range of {self.low} to {self.high} is not finite")
        if not self.low <= 0.0 <= self.high or self.low == self.high or self.amax <= 0.0:
            raise ValueError(f"a range of {self.low} to {self.high}, {self.amax} is empty or leaves out zero")


@dataclass(frozen=True)
class Ranges:
    """The ranges of one graph.

    Attributes:
        onnx_sha256: digest of the ONNX file they were measured on.
        tensors: ONNX value name -> range, for each float activation, inputs and outputs included.
    """

    onnx_sha256: str
    tensors: Dict[str, TensorRange]

    def save(self, path: Path) -> None:
        """Write them to *path*, whole or not at all."""
        _FORMAT.save(path, asdict(self))

    @classmethod
    def load(cls, path: Path, *, onnx: Path) -> Ranges:
        """Read the ranges of the graph *onnx*.

        Raises:
            ArtifactError: *path* is absent, damaged, of another schema, or was measured on another graph.
        """
        ranges = _FORMAT.read(path, cls)
        if ranges.onnx_sha256 != sha256(onnx):
            own = onnx.parent.parent / "calibration"  # those at *path* may belong to another model
            raise ArtifactError(
                f"{path} was measured on another graph than {onnx}",
                hint=f"python -m calibration --onnx {onnx.parent} --frames DIR --out {own}",
            )
        return ranges


def file_name(graph: str) -> str:
    """Where the ranges of *graph* lie in a calibration folder."""
    return f"{graph}.ranges.json"
