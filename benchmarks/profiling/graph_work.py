"""How much work each graph of a model is, as its card counts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Optional

from siamtrt import GraphPrecisions, ModelCard

NOT_COUNTED = "parameters and multiply-accumulates were not counted when the model was exported: export it anew"


@dataclass(frozen=True)
class GraphWork:
    """The work of one graph; a figure is None where its card has none.

    Attributes:
        parameters: weights it holds, without the kernels that a target brings.
        macs: multiply-accumulates of one run.
        each_frame: it runs in each ordinary frame.
    """

    parameters: Optional[int]
    macs: Optional[int]
    each_frame: bool


def work_of(card: ModelCard) -> dict[str, GraphWork]:
    """Name of each graph of a model -> its work."""
    return {
        graph.name: GraphWork(graph.parameters, graph.macs, graph.name in card.search.graphs) for graph in card.graphs
    }


def frame_work(work: Mapping[str, GraphWork]) -> GraphWork:
    """The sum over the graphs that run in each frame; None where a count is missing."""
    graphs = [graph for graph in work.values() if graph.each_frame]
    return GraphWork(_sum(graph.parameters for graph in graphs), _sum(graph.macs for graph in graphs), each_frame=True)


def _sum(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return sum(count or 0 for count in known) if known and None not in known else None


def title(card: ModelCard, backend: str, precision: str) -> str:
    """Model, backend and precision, and the work of a frame, which tells models of one name apart."""
    work, name = frame_work(work_of(card)), f"{card.title} {backend} {GraphPrecisions.parse(precision).label}"
    if work.parameters is None or work.macs is None:
        return name
    return f"{name}, {work.parameters / 1e6:.2f} M parameters, {work.macs / 1e6:.0f} MMAC"


def arithmetic(settings: Mapping[str, Any]) -> str:
    """What engines with these settings of their manifest compute in, where their precision alone would mislead."""
    float16 = "fp16" in str(settings.get("precision", ""))
    return "FP16 weights, computed in FP32" if float16 and settings.get("backend") == "onnxruntime" else ""
