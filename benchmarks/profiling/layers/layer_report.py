"""The report of per-layer latency: what is in it, and its file."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Dict, Iterable, Optional, Tuple

from siamtrt.documents import Format

FORMAT = Format("a layer report", schema=1, hint="write it anew with python -m benchmarks layers", kind="layers")
# What ONNX Runtime's optimisers put around the name of a node: precision, layout, and fusion.
_ADDED = re.compile(r"^(InsertedPrecisionFreeCast_|fused )|(_nchwc|_token_\d+)$")
_BYTES = ("uint8", "int8")


@dataclass(frozen=True)
class Layer:
    """One executed layer.

    Attributes:
        graph: it belongs to.
        name: of the layer in the engine; fusion may have joined several of the exported graph.
        type: of operation, as the backend calls it.
        precision: ``float32``, ``float16``, ``int8``, ...: what it computes in; the type of its first output where the
            backend tells no more.
        output_shape: of its first output.
        ms_p50: median latency of one run, in milliseconds.
        macs: multiply-accumulates; 0 for a layer that has none.
        bytes: read and written: inputs, weights and outputs; in floating point as ONNX Runtime pads their channels.
        share: of the time of its graph, 0..1; see :func:`with_shares`.
        output_precision: the type of its first output where that may be another one; None where it may not.
        device: ``gpu`` or ``dla`` of a TensorRT plan; None elsewhere.
    """

    graph: str
    name: str
    type: str
    precision: str
    output_shape: Tuple[int, ...]
    ms_p50: float
    macs: int
    bytes: int
    share: float = 0.0
    output_precision: Optional[str] = None
    device: Optional[str] = None


@dataclass(frozen=True)
class LayerReport:
    """The layers of one engine folder.

    Attributes:
        title: model, backend, precision and work.
        runs: how many runs the medians are of.
        layers: of all graphs, in the order they run.
        environment: of the machine.
        engines_manifest: of the engines that were profiled.
        threads: of the CPU backend; None on a GPU, and in reports that did not say it.
    """

    title: str
    runs: int
    layers: Tuple[Layer, ...]
    environment: Dict[str, Any]
    engines_manifest: Dict[str, Any]
    threads: Optional[int] = None

    @property
    def integer_share(self) -> float | None:
        """How much of the multiply-accumulates of a frame is executed in 8 bits; None where no layer shows its work."""
        frame = [layer for layer in self.layers if layer.graph != "target"]
        total = sum(layer.macs for layer in frame)
        return sum(layer.macs for layer in frame if layer.precision in _BYTES) / total if total else None

    def save(self, path: Path) -> None:
        """Write the report as JSON, whole or not at all."""
        FORMAT.save(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> LayerReport:
        """Read a report; ArtifactError where it is absent, of another schema, or something else."""
        return FORMAT.read(path, cls)


def with_shares(layers: Iterable[Layer]) -> Tuple[Layer, ...]:
    """The same layers, each with its share of the time of its graph."""
    listed = tuple(layers)
    totals: Dict[str, float] = {}
    for layer in listed:
        totals[layer.graph] = totals.get(layer.graph, 0.0) + layer.ms_p50
    return tuple(
        replace(layer, share=layer.ms_p50 / totals[layer.graph] if totals[layer.graph] else 0.0) for layer in listed
    )


def original_name(name: str) -> str:
    """The node of the file that a node of ONNX Runtime's optimised graph came from."""
    return _ADDED.sub("", name)
