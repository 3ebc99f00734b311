"""What a build is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from siamtrt import ModelCard, Precision


@dataclass(frozen=True)
class BuildOptions:
    """Settings of one build beyond backend and precision; a backend refuses those it cannot honour.

    Attributes:
        ranges: a calibration folder, needed by INT8.
    """

    ranges: Optional[Path] = None


@dataclass(frozen=True)
class GraphJob:
    """One engine to build.

    Attributes:
        source: the exported float32 graph, an ONNX file.
        card: of the model it belongs to.
        graph: its name in the card.
        precision: what it shall compute in; its inputs and outputs stay float32.
        out: the engine file to write, whole or not at all.
        options: of the whole build.
    """

    source: Path
    card: ModelCard
    graph: str
    precision: Precision
    out: Path
    options: BuildOptions
