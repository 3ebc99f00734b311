"""Quantise one layer at a time, then free one after the other, and look at the maps."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import onnx

from engines.graph import IntegerNode, float_layers, integer_nodes, without
from engines.onnxruntime.builder import to_int8
from engines.sensitivity.graphs_in_turn import GraphsInTurn, Noise, noise
from engines.sensitivity.ranking import Loss, Sensitivity, Step, decibel
from engines.sensitivity.way_out import steps_out_of_int8
from siamtrt import Manifest, Precision, claim
from siamtrt import manifest as manifests
from siamtrt.environment import describe
from siamtrt.files import sha256
from siamtrt.progress import progress_bar
from siamtrt.ranges import Ranges, file_name
from siamtrt.work import node_macs

log = logging.getLogger(__name__)


def rank(
    folder: Path,
    calibration: Path,
    samples: int,
    most_steps: int,
    *,
    threads: int | None = None,
    corrected: bool = True,
    record: Path | None = None,
) -> Sensitivity:
    """Rank the convolutions of the graphs of a search.

    Args:
        folder: written by the export stage.
        calibration: written by the calibration stage, for *folder*.
        samples: how many of its crops to run.
        most_steps: how many steps out of INT8 to try in each graph, see
            :func:`engines.sensitivity.way_out.steps_out_of_int8`.
        threads: how many each operator takes; all cores when None.
        corrected: correct the biases as the builder does; without, the loss is that of rounding alone.
        record: where each measurement is noted, so that a ranking that was interrupted goes on from there.

    Raises:
        ArtifactError: a folder is unfinished, or they are not of the same model.
        UsageError: see :class:`engines.sensitivity.graphs_in_turn.GraphsInTurn`.
    """
    Manifest.load(folder, stage="export")
    measured = Manifest.load(calibration, stage="calibration")
    graphs = GraphsInTurn(folder, calibration, samples, threads=threads)
    onnx_digests = {graph: sha256(folder / f"{graph}.onnx") for graph in graphs.models}
    trials = Trials(
        record,
        {
            "onnx": onnx_digests,
            "calibration": sha256(calibration / manifests.FILE_NAME),
            "samples": samples,
            "corrected": corrected,
            "packages": describe()["packages"],
        },
    )
    layers: list[Loss] = []
    steps: list[Step] = []
    for graph, model in graphs.models.items():
        ranges = Ranges.load(calibration / file_name(graph), onnx=folder / f"{graph}.onnx")
        judge = _Judge(graphs, graph, model, integer_nodes(model.graph), ranges, corrected, trials)
        alone = judge.layers()
        layers += alone
        steps += judge.way_out(alone, most_steps)
    return Sensitivity(
        tuple(sorted(layers, key=lambda loss: -loss.noise)),
        tuple(steps),
        samples,
        onnx_digests,
        {"calibration": measured.settings, "environment": describe()},
    )


class Trials:
    """The noises that have been measured, by graph and layers in floating point.

    Args:
        record: where they are noted, and read from; None for nowhere.
        key: what they depend on; JSON-ready.
    """

    def __init__(self, record: Path | None, key: Mapping[str, Any]) -> None:
        self._record, self._key = record, key
        self._done = claim.finished(record, key) if record else {}
        if self._done:
            log.info("took %d measurements of an earlier run", len(self._done))

    def noise(self, graph: str, floats: Sequence[str], measure: Callable[[], Noise]) -> Noise:
        """What *measure* gives for *graph* with *floats*, or gave before."""
        name = f"{graph}: {', '.join(floats)}"
        if name not in self._done:
            self._done[name] = list(measure())
            if self._record:
                claim.save(self._record, self._key, self._done)
        power, cosine = self._done[name]
        return power, cosine


@dataclass(frozen=True)
class _Judge:
    """Tells what INT8 in one graph does to the maps."""

    graphs: GraphsInTurn
    graph: str
    model: onnx.ModelProto
    plan: Sequence[IntegerNode]
    ranges: Ranges
    corrected: bool
    trials: Trials

    def layers(self) -> list[Loss]:
        """Each convolution alone, worst first."""
        macs = convolution_macs(self.model)
        losses = []
        for layer in progress_bar(macs, desc=f"{self.graph}, layers alone", unit="layer"):
            power, cosine = self._noise([name for name in macs if name != layer])
            losses.append(Loss(self.graph, layer, power, cosine, macs[layer], decibel(power)))
        return sorted(losses, key=lambda loss: -loss.noise)

    def way_out(self, losses: Sequence[Loss], most_steps: int) -> list[Step]:
        """The steps out of INT8; what ``int8`` leaves in floating point is so from the start."""
        card = self.graphs.card
        graph = card.graph(self.graph)
        fixed = float_layers(
            self.model, graph.role, Precision.INT8, card.refitted(self.graph), card.scores_of(self.graph)
        )
        free = [loss for loss in losses if loss.layer not in fixed]
        with progress_bar(desc=f"{self.graph}, way out of INT8", unit="trial") as bar:

            def judge(floats: Sequence[str]) -> Noise:
                bar.update()
                return self._noise([*fixed, *floats])

            return steps_out_of_int8(self.graph, self.model, free, judge, most_steps)

    def _noise(self, floats: Sequence[str]) -> Noise:
        """The noise with all of the graph in INT8 but *floats*, built as the builder does."""
        return self.trials.noise(self.graph, floats, partial(self._measured, floats))

    def _measured(self, floats: Sequence[str]) -> Noise:
        sees_crops = self.graphs.card.crop_of(self.graph) is not None
        samples = self.graphs.inputs(self.graph) if self.corrected and sees_crops else ()
        kernels = self.graphs.card.refitted(self.graph)
        variant = to_int8(self.model, without(self.plan, floats), self.ranges, samples, kernels)
        return noise(self.graphs.maps, self.graphs.variant(self.graph, variant))


def convolution_macs(model: onnx.ModelProto) -> dict[str, float]:
    """Each convolution's share of the multiply-accumulates of all of them, by node name, in the order they run."""
    counts = node_macs(model)
    macs = {node.name: float(counts[node.output[0]]) for node in model.graph.node if node.op_type == "Conv"}
    total = sum(macs.values())
    return {name: count / total for name, count in macs.items()}
