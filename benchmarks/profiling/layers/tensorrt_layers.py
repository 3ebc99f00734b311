"""Layers of a TensorRT plan from what its inspector says and its profiler measured; pure, no library needed."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from typing import Sequence, Tuple

from benchmarks.profiling.layers.layer_report import Layer
from siamtrt import ArtifactError, UsageError
from siamtrt.libraries.inspector import PlanLayer, plan_layers

Run = Sequence[Tuple[str, float]]  # name and milliseconds of each layer, in the order they ran


def layers(information: str, runs: Sequence[Run], graph: str) -> list[Layer]:
    """Join what the inspector tells with what the profiler measured, in the order the layers ran.

    Two layers may have one name: they are told apart by their order.

    Args:
        information: JSON of ``IEngineInspector.get_engine_information``.
        runs: what the profiler reported in each run.
        graph: name for the layers.

    Raises:
        UsageError: the plan was built without details.
        ArtifactError: *information* is something else, or nothing was measured, or not the same layers in each run.
    """
    known = plan_layers(information, graph)
    names = [name for name, _ in runs[0]] if runs else []
    if not names:
        raise ArtifactError(f"TensorRT's profiler reported no layer of {graph}")
    if any([name for name, _ in run] != names for run in runs):
        raise ArtifactError(f"TensorRT's profiler reported other layers of {graph} from run to run")
    if known is None:
        raise UsageError(
            f"the plan of {graph} does not tell its layers' types and tensors", hint="build the engines anew"
        )
    entries: defaultdict[str, list[PlanLayer]] = defaultdict(list)
    for entry in known:
        entries[entry.name].append(entry)
    seen: Counter[str] = Counter()
    joined = []
    for index, name in enumerate(names):
        same = entries[name]
        entry = same[seen[name]] if seen[name] < len(same) else PlanLayer(name)
        seen[name] += 1
        joined.append(_layer(graph, entry, statistics.median(run[index][1] for run in runs)))
    return joined


def _layer(graph: str, entry: PlanLayer, ms_p50: float) -> Layer:
    return Layer(
        graph=graph,
        name=entry.name,
        type=entry.type,
        precision=entry.precision,
        output_shape=entry.output_shape,
        ms_p50=ms_p50,
        macs=entry.macs,
        bytes=entry.bytes,
        output_precision=entry.output_precision,
        device=entry.device,
    )
