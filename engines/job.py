"""What one engine is built from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple

from siamtrt import Precision


@dataclass(frozen=True)
class GraphJob:
    """One engine to build.

    Attributes:
        source: the exported float32 graph, an ONNX file.
        graph: its name in the model card.
        precision: what it shall compute in; its inputs and outputs stay float32.
        out: the engine file to write, whole or not at all.
        refit: the weights that have to stay replaceable in the engine, by name.
        ranges: the calibration folder, proved finished; None where no graph of the build is INT8. Read it by
            :func:`engines.int8_inputs.load_ranges`.
        correction_samples: how many crops the biases of INT8 are corrected on; 0 leaves them. ONNX Runtime only.
        keep: the nodes that INT8 leaves in floating point, by name.
    """

    source: Path
    graph: str
    precision: Precision
    out: Path
    refit: Tuple[str, ...] = ()
    ranges: Optional[Path] = None
    keep: Tuple[str, ...] = ()
    correction_samples: int = 0
