"""The ranking of layers by what their INT8 costs: its file, its table, and the choice of layers to keep from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from math import log10
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from siamtrt import ArtifactError
from siamtrt.files import read_json, write_text

SCHEMA = 1


@dataclass(frozen=True)
class Loss:
    """What 8 bits in one place do to the maps of the tracker.

    Attributes:
        graph: where the place is.
        layer: the node, a convolution.
        noise: power of the error of the map that suffers most, over the power of that map.
        cosine: of the angle to the FP32 map, mean over the samples, for the map that suffers most.
        macs_share: of the multiply-accumulates of the graph.
    """

    graph: str
    layer: str
    noise: float
    cosine: float
    macs_share: float

    @property
    def name(self) -> str:
        """``GRAPH:LAYER``, as ``--keep`` takes it."""
        return f"{self.graph}:{self.layer}"


@dataclass(frozen=True)
class Step:
    """One step of taking layers out of INT8.

    Attributes:
        graph: they are in.
        layers: taken out by this step; none by the first.
        noise: of the whole graph with these and all earlier layers out, see :class:`Loss`.
        cosine: likewise.
        macs_share: of the graph's multiply-accumulates that are out of INT8 by then.
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
        """Write it as JSON, each loss with its decibels."""
        document = {"schema": SCHEMA, **asdict(self)}
        for entry, loss in zip(document["layers"], self.layers):
            entry["signal_to_noise_db"] = decibel(loss.noise)
        write_text(path, json.dumps(document, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Sensitivity:
        """Read a ranking.

        Raises:
            ArtifactError: the file is absent, damaged or of another schema.
        """
        document = read_json(path)
        if document.pop("schema", None) != SCHEMA:
            raise ArtifactError(f"{path} is no ranking of schema {SCHEMA}", hint="python -m engines.sensitivity")
        try:
            layers = [Loss(**{name: entry[name] for name in Loss.__dataclass_fields__}) for entry in document["layers"]]
            steps = [
                Step(**{**entry, "layers": tuple(entry["layers"]), "noise": float(entry["noise"])})
                for entry in document["steps"]
            ]
            return cls(**{**document, "layers": tuple(layers), "steps": tuple(steps)})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{path} is no ranking: {error}", hint="python -m engines.sensitivity") from error

    def way_out(self, graphs: Sequence[str]) -> List[Tuple[Step, float]]:
        """The steps of *graphs* merged, always the one next that takes most noise away.

        Returns:
            Each step and the noise that is left then, the noises of the graphs added up; the first takes no layer.
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


def decibel(noise: float) -> Optional[float]:
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


def _row(loss: Union[Loss, Step], name: str) -> str:
    found = decibel(loss.noise)
    ratio = "-" if found is None else f"{found:.1f}"
    return f"{ratio:>6} {loss.cosine:8.5f} {100 * loss.macs_share:7.2f}  {name}"
