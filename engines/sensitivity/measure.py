"""Quantise one layer at a time, then free one after the other, and look at the maps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import onnx
from tqdm import tqdm

from engines.onnxruntime.bias_correction import correct_biases
from engines.onnxruntime.builder import float_layers
from engines.onnxruntime.quantize import quantize
from engines.sensitivity.graphs_in_turn import Chain, noise
from engines.sensitivity.report import Loss, Sensitivity, Step
from engines.sensitivity.steps_out_of_int8 import path
from siamtrt import Manifest, ModelCard, Precision
from siamtrt.environment import describe
from siamtrt.files import sha256
from siamtrt.ranges import Ranges, file_name
from siamtrt.work import node_macs


def measure(
    folder: Path,
    calibration: Path,
    samples: int,
    most_steps: int,
    *,
    threads: Optional[int] = None,
    corrected: bool = True,
) -> Sensitivity:
    """Rank the convolutions of all three graphs.

    Args:
        folder: of the export stage.
        calibration: of the calibration stage, for *folder*.
        samples: how many of its crops to run.
        most_steps: how many to take out of INT8 in each graph, see :func:`engines.sensitivity.steps_out_of_int8.path`.
        threads: of each operator; all cores when None.
        corrected: correct the biases as the builder does; without, the loss is that of rounding alone.

    Raises:
        ArtifactError: a folder is unfinished, or they are not of the same model.
        UsageError: see :class:`engines.sensitivity.graphs_in_turn.Chain`.
    """
    Manifest.load(folder, stage="export")
    measured = Manifest.load(calibration, stage="calibration")
    kernels = ModelCard.load(folder).kernel_names
    chain = Chain(folder, calibration, samples, threads=threads)
    layers: List[Loss] = []
    steps: List[Step] = []
    for graph, model in chain.models.items():
        ranges = Ranges.load(calibration / file_name(graph), onnx=folder / f"{graph}.onnx")
        judge = _Judge(chain, graph, model, ranges, kernels if graph == "xcorr" else (), corrected)
        alone = judge.layers()
        layers += alone
        steps += judge.way_out(alone, most_steps)
    return Sensitivity(
        tuple(sorted(layers, key=lambda loss: -loss.noise)),
        tuple(steps),
        samples,
        {graph: sha256(folder / f"{graph}.onnx") for graph in chain.models},
        {"calibration": measured.settings, "environment": describe()},
    )


@dataclass(frozen=True)
class _Judge:
    """Tells what INT8 in one graph does to the maps."""

    chain: Chain
    graph: str
    model: onnx.ModelProto
    ranges: Ranges
    kernels: Tuple[str, ...]
    corrected: bool

    def layers(self) -> List[Loss]:
        """Each convolution alone, worst first."""
        macs = convolution_macs(self.model)
        losses = []
        for layer in tqdm(macs, desc=f"{self.graph}, layers alone", unit="layer"):
            others = [name for name in macs if name != layer]
            losses.append(Loss(self.graph, layer, *self._noise(others), macs[layer]))
        return sorted(losses, key=lambda loss: -loss.noise)

    def way_out(self, losses: Sequence[Loss], most_steps: int) -> List[Step]:
        """The steps out of INT8; what ``int8`` leaves in float is so from the start."""
        fixed = float_layers(self.model, self.graph, Precision.INT8, self.kernels)
        free = [loss for loss in losses if loss.layer not in fixed]
        with tqdm(desc=f"{self.graph}, way out of INT8", unit="trial") as progress:

            def judge(keep: Sequence[str]) -> Tuple[float, float]:
                progress.update()
                return self._noise([*fixed, *keep])

            return path(self.graph, self.model, free, judge, most_steps)

    def _noise(self, keep: Sequence[str]) -> Tuple[float, float]:
        model = self.model
        if self.corrected and not self.kernels:  # as the builder does
            model = correct_biases(model, self.ranges, self.chain.inputs(self.graph), keep=keep)
        variant = quantize(model, self.ranges, keep=keep, kernels=self.kernels)
        return noise(self.chain.maps, self.chain.variant(self.graph, variant))


def convolution_macs(model: onnx.ModelProto) -> Dict[str, float]:
    """Each convolution's share of the multiply-accumulates of all of them, by node name, in the order they run."""
    counts = node_macs(model)
    macs = {node.name: float(counts[node.output[0]]) for node in model.graph.node if node.op_type == "Conv"}
    total = sum(macs.values())
    return {name: count / total for name, count in macs.items()}
