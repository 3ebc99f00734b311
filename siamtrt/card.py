"""The model card: all that a runtime has to know about a model, stored beside its graphs as ``model.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from siamtrt.errors import ArtifactError
from siamtrt.files import read_json, write_text
from siamtrt.tensors import TensorSpec

FILE_NAME = "model.json"
SCHEMA = 1
FAMILIES = ("rpn", "ban")
_COLOUR, _VALUE_RANGE = "BGR", (0.0, 255.0)


@dataclass(frozen=True)
class TrackerConstants:
    """What the tracker does with the maps of a network; ``source`` names the published configuration."""

    penalty_k: float
    window_influence: float
    lr: float
    source: str
    context: float = 0.5
    min_side_px: float = 10.0


@dataclass(frozen=True)
class LostSearch:
    """How a long-term tracker looks for a target it has lost: a larger crop through ``search_lost``/``xcorr_lost``.

    The target counts as lost below ``confidence_low`` and as found above ``confidence_high`` (scores 0..1).
    """

    search_px: int
    score_size: int
    window_influence: float
    confidence_low: float
    confidence_high: float


@dataclass(frozen=True)
class GraphCard:
    """The interface of one graph; its file is ``NAME.onnx`` or ``NAME.plan``."""

    name: str
    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]


@dataclass(frozen=True)
class ModelCard:
    """A tracker model as its graphs implement it.

    Attributes:
        name: e.g. ``siamrpn_r50``.
        family: ``rpn`` (anchors; loc is dx, dy, dw, dh) or ``ban`` (points; loc is left, top, right, bottom).
        template_px: side of the template crop.
        search_px: side of the search crop.
        stride: input pixels from one cell of the score map to the next.
        score_size: side of the score map.
        anchor_ratios: height / width of the anchors; empty for ``ban``.
        anchor_scales: side of the anchors in strides; empty for ``ban``.
        tracker: constants of the tracker.
        lost: the long-term search, or None for a short-term tracker.
        kernels: the correlation kernels that the target graph puts out; in the xcorr graph the initializers (or, with
            ``kernel_inputs``, the inputs) of the same names.
        graphs: ``target``, ``search``, ``xcorr`` and, with ``lost``, ``search_lost`` and ``xcorr_lost``.
        kernel_inputs: the xcorr graphs take their kernels as inputs instead of as weights.
        checkpoint_sha256: digest of the checkpoint file the graphs were exported from.
        parity: graph name -> largest absolute difference to the torch module, relative to the output's range.
        colour: channel order of every crop.
        value_range: smallest and largest value of a crop; no mean is subtracted.
    """

    name: str
    family: str
    template_px: int
    search_px: int
    stride: int
    score_size: int
    anchor_ratios: Tuple[float, ...]
    anchor_scales: Tuple[float, ...]
    tracker: TrackerConstants
    lost: Optional[LostSearch]
    kernels: Tuple[TensorSpec, ...]
    graphs: Tuple[GraphCard, ...]
    checkpoint_sha256: str
    kernel_inputs: bool = False
    parity: Dict[str, float] = field(default_factory=dict)
    colour: str = _COLOUR
    value_range: Tuple[float, float] = _VALUE_RANGE

    @property
    def anchors_per_cell(self) -> int:
        """How many boxes a cell of the score map proposes; 1 for ``ban``."""
        return max(1, len(self.anchor_ratios) * len(self.anchor_scales))

    @property
    def kernel_names(self) -> Tuple[str, ...]:
        """Names of the correlation kernels."""
        return tuple(kernel.name for kernel in self.kernels)

    def graph(self, name: str) -> GraphCard:
        """The interface of the graph called *name*.

        Raises:
            ArtifactError: the model has no such graph.
        """
        for graph in self.graphs:
            if graph.name == name:
                return graph
        raise ArtifactError(f"model {self.name} has no graph {name!r}: {', '.join(g.name for g in self.graphs)}")

    def save(self, folder: Path) -> Path:
        """Write ``model.json`` into *folder* and return its path."""
        path = folder / FILE_NAME
        write_text(path, json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2) + "\n")
        return path

    @classmethod
    def load(cls, folder: Path) -> ModelCard:
        """Read ``model.json`` from *folder*.

        Raises:
            ArtifactError: it is absent, not a model card, of a newer schema, or of an unknown family,
                or for crops of another kind than the runtime's.
        """
        path = folder / FILE_NAME
        fields = read_json(path)
        schema = fields.pop("schema", None)
        if schema != SCHEMA:
            raise ArtifactError(
                f"{path} has schema {schema}, this version reads {SCHEMA}", hint="export the model anew"
            )
        try:
            card = _from_fields(fields)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{path} is not a model card: {error}", hint="export the model anew") from error
        if card.family not in FAMILIES:
            raise ArtifactError(f"{path}: unknown family {card.family!r}", hint=f"one of {', '.join(FAMILIES)}")
        if (card.colour, card.value_range) != (_COLOUR, _VALUE_RANGE):
            raise ArtifactError(
                f"{path} asks for crops of {card.colour} in {card.value_range}; the runtime gives BGR in 0..255",
                hint="fold the difference into the first layer, then export the model anew",
            )
        return card


def _from_fields(fields: Dict[str, Any]) -> ModelCard:
    nested = {
        "tracker": TrackerConstants(**fields["tracker"]),
        "lost": LostSearch(**fields["lost"]) if fields["lost"] else None,
        "kernels": _specs(fields["kernels"]),
        "graphs": tuple(
            GraphCard(graph["name"], _specs(graph["inputs"]), _specs(graph["outputs"])) for graph in fields["graphs"]
        ),
        "anchor_ratios": tuple(fields["anchor_ratios"]),
        "anchor_scales": tuple(fields["anchor_scales"]),
        "value_range": tuple(fields["value_range"]),
    }
    return ModelCard(**{**fields, **nested})


def _specs(entries: Any) -> Tuple[TensorSpec, ...]:
    return tuple(TensorSpec(entry["name"], tuple(entry["shape"]), entry["dtype"]) for entry in entries)
