"""The ranking of layers by what their INT8 costs: its file, its table, and the way out of INT8 that it describes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import log10
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

from siamtrt.documents import Format

_FORMAT = Format("a ranking of layers", schema=1, hint="python -m engines.sensitivity")


@dataclass(frozen=True)
class Loss:
    """What 8 bits in one place do to the maps of the tracker.

    Attributes:
        graph: where the place is.
        layer: the node, a convolution.
        noise: power of the error of the map that suffers most, over the power of that map.
        cosine: cosine of the angle to the FP32 map, mean over the samples, for the map that suffers most.
        macs_share: its share of the multiply-accumulates of the graph.
        signal_to_noise_db: *noise* for those who read the file, see :func:`decibel`.
    """

    graph: str
    layer: str
    noise: float
    cosine: float
    macs_share: float
    signal_to_noise_db: Optional[float] = None

    @property
    def name(self) -> str:
        """``GRAPH:LAYER``, as ``--float-layers`` takes it."""
        return f"{self.graph}:{self.layer}"


@dataclass(frozen=True)
class Step:
    """One step of taking layers out of INT8.

    Attributes:
        graph: the graph they are in.
        layers: taken out by this step; none by the first.
        noise: as in :class:`Loss`, for the whole graph with these and all earlier layers out.
        cosine: as in :class:`Loss`, for the whole graph with these and all earlier layers out.
        macs_share: share of the graph's multiply-accumulates that are out of INT8 by then.
    """

    graph: str
    layers: Tuple[str, ...]
    noise: float
    cosine: float
    macs_share: float


@dataclass(frozen=True)
class Sensitivity:
    """The ranking of one model.

    Attributes:
        layers: each layer alone in INT8, the rest and the other graphs in FP32; worst first.
        steps: the way out of INT8 for each graph, the first of them with the whole graph in INT8 but its correlations.
        samples: how many the figures are over.
        onnx: graph name -> sha256 of the ONNX file.
        provenance: what the ranges were, and the machine.
    """

    layers: Tuple[Loss, ...]
    steps: Tuple[Step, ...]
    samples: int
    onnx: Dict[str, str]
    provenance: Dict[str, Any]

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        _FORMAT.save(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Sensitivity:
        """Read a ranking.

        Raises:
            ArtifactError: the file is absent, damaged or of another schema.
        """
        return _FORMAT.read(path, cls)

    def way_out(self, graphs: Sequence[str]) -> list[tuple[Step, float]]:
        """The steps of *graphs* merged, always the one next that takes most noise away.

        Returns:
            Each step and the noise that remains after it, the noises of the graphs added up; the first takes no layer.
        """
        rests = {graph: [step for step in self.steps if step.graph == graph] for graph in graphs}
        now = {graph: steps.pop(0) for graph, steps in rests.items() if steps}
        way = [(Step("", (), 0.0, 1.0, 0.0), sum(step.noise for step in now.values()))]
        while any(rests.values()):
            graph = max(
                (graph for graph in rests if rests[graph]), key=lambda name: now[name].noise - rests[name][0].noise
            )
            now[graph] = rests[graph].pop(0)
            way.append((now[graph], sum(step.noise for step in now.values())))
        return way


def decibel(noise: float) -> float | None:
    """Signal to noise in dB; None where there is no noise."""
    return -10 * log10(noise) if noise > 0 else None


def table(sensitivity: Sensitivity, rows: int) -> str:
    """The worst *rows* layers, and the way out of INT8, for people."""
    lines = [f"{'dB':>6} {'cosine':>8} {'% MACs':>7}  layer alone in INT8"]
    lines += [_row(loss, loss.name) for loss in sensitivity.layers[:rows]]
    lines += ["", f"{'dB':>6} {'cosine':>8} {'% MACs':>7}  graph in INT8 but for what is in floating point"]
    lines += [
        _row(step, f"{step.graph} {'and ' if step.layers else ''}{', '.join(step.layers)}")
        for step in sensitivity.steps
    ]
    return "\n".join(lines)


def _row(loss: Loss | Step, name: str) -> str:
    ratio = decibel(loss.noise)
    return f"{'-' if ratio is None else f'{ratio:.1f}':>6} {loss.cosine:8.5f} {100 * loss.macs_share:7.2f}  {name}"
