"""The report of per-layer latency: what is in it, and its file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from siamtrt import ArtifactError
from siamtrt.files import read_json, write_text

SCHEMA = 1
_BYTES = ("uint8", "int8")


@dataclass(frozen=True)
class Layer:
    """One executed layer.

    Attributes:
        graph: it belongs to.
        name: of the layer in the engine; fusion may have joined several of the exported graph.
        type: of operation, as the backend calls it.
        precision: ``float32``, ``float16``, ``int8``, ...: the type of its first output.
        output_shape: of its first output.
        ms_p50: median latency of one run, in milliseconds.
        macs: multiply-accumulates; 0 for a layer that has none.
        bytes: read and written: inputs, weights and outputs.
    """

    graph: str
    name: str
    type: str
    precision: str
    output_shape: Tuple[int, ...]
    ms_p50: float
    macs: int
    bytes: int


@dataclass(frozen=True)
class LayerReport:
    """Of one engine folder.

    Attributes:
        title: model, backend and precision.
        runs: how many the medians are of.
        layers: of all graphs, in the order they run.
        environment: of the machine.
        engines_manifest: of the engines that were profiled.
    """

    title: str
    runs: int
    layers: Tuple[Layer, ...]
    environment: Dict[str, Any]
    engines_manifest: Dict[str, Any]

    @property
    def integer_share(self) -> Optional[float]:
        """How much of the multiply-accumulates of a frame is executed in 8 bits; None where no layer tells its work."""
        frame = [layer for layer in self.layers if layer.graph != "target"]
        total = sum(layer.macs for layer in frame)
        return sum(layer.macs for layer in frame if layer.precision in _BYTES) / total if total else None

    def save(self, path: Path) -> None:
        """Write the report as JSON, each layer with its share of its graph."""
        totals: Dict[str, float] = {}
        for layer in self.layers:
            totals[layer.graph] = totals.get(layer.graph, 0.0) + layer.ms_p50
        document = {"schema": SCHEMA, "kind": "layers", **asdict(self)}
        for entry in document["layers"]:
            entry["share"] = entry["ms_p50"] / totals[entry["graph"]] if totals[entry["graph"]] else 0.0
        write_text(path, json.dumps(document, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> LayerReport:
        """Read a report.

        Raises:
            ArtifactError: it is absent, of a newer schema, or something else.
        """
        return cls.of(read_json(path), path)

    @classmethod
    def of(cls, document: Dict[str, Any], path: Path) -> LayerReport:
        """Read a report that stands in *document*, which came from *path*.

        Raises:
            ArtifactError: see :meth:`load`.
        """
        if document.get("kind") != "layers" or document.get("schema") != SCHEMA:
            raise ArtifactError(
                f"{path} is a {document.get('kind')!r} report of schema {document.get('schema')}, "
                f"expected 'layers' of schema {SCHEMA}",
                hint="update this checkout, or write the report anew with python -m benchmarks layers",
            )
        try:
            layers = tuple(_layer(entry) for entry in document["layers"])
            return cls(
                document["title"], document["runs"], layers, document["environment"], document["engines_manifest"]
            )
        except (KeyError, TypeError) as error:
            raise ArtifactError(f"{path} is not a layer report: {error!r}") from error


def _layer(entry: Dict[str, Any]) -> Layer:
    fields = {name: value for name, value in entry.items() if name != "share"}
    return Layer(**{**fields, "output_shape": tuple(fields["output_shape"])})
