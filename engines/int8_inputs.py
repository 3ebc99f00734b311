"""What an INT8 build needs beside the graphs: the calibration folder, and the layers that stay in floating point."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

import onnx

from engines.job import GraphJob
from siamtrt import ArtifactError, GraphPrecisions, Manifest, ModelCard, UsageError
from siamtrt.ranges import Ranges, file_name


@dataclass(frozen=True)
class Int8Inputs:
    """The proved inputs of an INT8 build; empty for a build without INT8.

    Attributes:
        ranges: the calibration folder, or None where no graph is INT8.
        parents: the ranges files of the INT8 graphs.
        keep: graph name -> names of the nodes that stay in floating point, sorted.
        correction_samples: how many crops to correct biases on; 0 for none.
        settings: for the manifest.
    """

    ranges: Optional[Path]
    parents: Tuple[Path, ...]
    keep: Dict[str, Tuple[str, ...]]
    correction_samples: int
    settings: Dict[str, Any]

    def complete(self, job: GraphJob) -> GraphJob:
        """*job* with what INT8 needs."""
        keep = self.keep.get(job.graph, ())
        return replace(job, ranges=self.ranges, keep=keep, correction_samples=self.correction_samples)


def int8_inputs(
    onnx_folder: Path,
    card: ModelCard,
    precisions: GraphPrecisions,
    ranges: Optional[Path],
    keep: Sequence[str],
    correction_samples: Optional[int] = None,
) -> Int8Inputs:
    """Prove that *ranges* and *keep* fit the request.

    Args:
        onnx_folder: of the export stage.
        card: of the model.
        precisions: one for each graph.
        ranges: a finished calibration folder.
        keep: ``LAYER``, in every INT8 graph that has a node of this name, or ``GRAPH:LAYER``.
        correction_samples: how many crops to correct biases on; None where the backend corrects none.

    Raises:
        UsageError: INT8 without ranges, ranges or kept layers without INT8, or a layer that no INT8 graph has.
        ArtifactError: the calibration is unfinished or changed, or left out a graph.
    """
    graphs = [graph.name for graph in card.graphs if precisions.of(graph).is_int8]
    if not graphs:
        if ranges or keep:
            raise UsageError(f"no graph of {precisions} is INT8, so ranges and kept layers have no use")
        return Int8Inputs(None, (), {}, 0, {})
    way = f"python -m calibration --onnx {onnx_folder} --frames DIR --out DIR, then --ranges DIR"
    if ranges is None:
        raise UsageError(f"{graphs[0]} cannot be built in INT8 without activation ranges", hint=way)
    calibration = Manifest.load(ranges, stage="calibration")
    missing = [graph for graph in graphs if file_name(graph) not in calibration.files]
    if missing:
        raise ArtifactError(f"{ranges} holds no activation ranges of {', '.join(missing)}", hint=way)
    kept = _layers_to_keep(onnx_folder, graphs, keep)
    settings = {
        "keep": sorted(f"{graph}:{layer}" for graph, layers in kept.items() for layer in layers),
        "calibration_sources": calibration.settings.get("calibration_sources", []),
        "calibration_method": calibration.settings.get("method"),
    }
    if correction_samples is not None:
        settings["correction_samples"] = correction_samples
    parents = tuple(ranges / file_name(graph) for graph in sorted(graphs))
    return Int8Inputs(ranges, parents, kept, correction_samples or 0, settings)


def load_ranges(job: GraphJob) -> Ranges:
    """The activation ranges of an INT8 job.

    Raises:
        UsageError: the job has none.
        ArtifactError: the file is damaged, or was measured on another graph.
    """
    if job.ranges is None:
        raise UsageError(f"{job.graph} cannot be built in INT8 without activation ranges", hint="--ranges DIR")
    return Ranges.load(job.ranges / file_name(job.graph), onnx=job.source)


def _layers_to_keep(folder: Path, graphs: Sequence[str], keep: Sequence[str]) -> Dict[str, Tuple[str, ...]]:
    if not keep:
        return {}
    known = {graph: _node_names(folder / f"{graph}.onnx") for graph in graphs}
    found: Dict[str, Tuple[str, ...]] = {}
    for wanted in keep:
        graph, _, layer = wanted.rpartition(":")
        holders = [name for name in graphs if graph in ("", name, _sibling(name)) and layer in known[name]]
        if not holders:
            raise UsageError(
                f"no INT8 graph has a layer {wanted!r}",
                hint="LAYER or GRAPH:LAYER, as python -m engines.sensitivity names them",
            )
        for name in holders:
            found[name] = tuple(sorted({*found.get(name, ()), layer}))
    return found


def _sibling(graph: str) -> str:
    """The graph that a long-term model's large one repeats; what is kept in the one is kept in the other."""
    return graph[: -len("_lost")] if graph.endswith("_lost") else graph


def _node_names(path: Path) -> Tuple[str, ...]:
    return tuple(node.name for node in onnx.load(str(path)).graph.node)
