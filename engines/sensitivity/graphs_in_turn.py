"""The three graphs run one after another on calibration crops, with any of them replaced by a variant."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Tuple

import numpy as np
import onnx
from onnx import numpy_helper

from engines.onnxruntime.builder import read_graph
from engines.samples import sample_files, spread_samples
from siamtrt import Array, ArtifactError, ModelCard, Tensors, UsageError
from siamtrt.libraries.onnxruntime import open_session

_CROPPED = {"target": "template", "search": "search"}


class Chain:
    """The FP32 graphs of a model on some samples; what they put out on the way is kept.

    Args:
        folder: of the export stage.
        calibration: its samples are pairs: a template, and a search crop of the same target.
        count: of samples, spread over all there are.
        threads: of each operator; all cores when None.

    Attributes:
        models: graph name -> its FP32 form.
        kernels: what the target graph puts out for each sample.
        maps: what the xcorr graph puts out for each sample.

    Raises:
        UsageError: *count* is not positive, or the kernels are inputs of the xcorr graph.
        ArtifactError: a graph or sample cannot be read, or there are fewer samples than *count*.
    """

    def __init__(self, folder: Path, calibration: Path, count: int, *, threads: Optional[int] = None) -> None:
        self._card, self._threads = ModelCard.load(folder), threads
        if self._card.kernel_inputs:
            raise UsageError(f"{folder} was exported with --kernel-inputs", hint="export without, for this measurement")
        self.models = {name: read_graph(folder / f"{name}.onnx") for name in (*_CROPPED, "xcorr")}
        self._crops = {graph: self._read_crops(calibration, graph, count) for graph in _CROPPED}
        self.kernels = self._run("target", self.models["target"])
        self._features = self._run("search", self.models["search"])
        self.maps = self._correlate(self.models["xcorr"], self.kernels, self._features)

    def variant(self, graph: str, model: onnx.ModelProto) -> List[Tensors]:
        """The maps of every sample with *model* in place of *graph*."""
        kernels = self._run("target", model) if graph == "target" else self.kernels
        features = self._run("search", model) if graph == "search" else self._features
        return self._correlate(model if graph == "xcorr" else self.models["xcorr"], kernels, features)

    def inputs(self, graph: str) -> List[Tensors]:
        """What *graph* is given in each sample."""
        if graph == "xcorr":
            return self._features
        return [{_CROPPED[graph]: crop} for crop in self._crops[graph]]

    def _read_crops(self, calibration: Path, graph: str, count: int) -> List[Array]:
        available = len(sample_files(calibration, graph))
        if not 0 < count <= available:
            raise UsageError(f"{count} samples were asked for, {calibration} has {available}", hint="--samples 8")
        (specification,) = self._card.graph(graph).inputs
        return spread_samples(calibration, graph, specification.shape, count)

    def _run(self, graph: str, model: onnx.ModelProto) -> List[Tensors]:
        session = open_session(model.SerializeToString(), threads=self._threads)
        names = [output.name for output in self._card.graph(graph).outputs]
        return [dict(zip(names, session.run(names, feeds))) for feeds in self.inputs(graph)]

    def _correlate(self, model: onnx.ModelProto, kernels: List[Tensors], features: List[Tensors]) -> List[Tensors]:
        names = [output.name for output in self._card.graph("xcorr").outputs]
        maps = []
        for index, feeds in enumerate(features):
            session = open_session(refitted(model, kernels[index]), threads=self._threads)
            maps.append(dict(zip(names, session.run(names, feeds))))
        return maps


def refitted(model: onnx.ModelProto, kernels: Tensors) -> bytes:
    """*model* with the kernels of another target, serialized.

    Raises:
        ArtifactError: it has no weight of such a name.
    """
    weights = {weight.name: weight for weight in model.graph.initializer}
    for name, kernel in kernels.items():
        if name not in weights:
            raise ArtifactError(f"the xcorr graph has no weight called {name}", hint="export the model anew")
        weights[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(kernel, np.float32), name))
    return bytes(model.SerializeToString())


Noise = Tuple[float, float]


def noise(reference: List[Tensors], found: List[Tensors]) -> Noise:
    """How far the maps of all samples are from their reference, for the map that suffers most.

    Returns:
        The power of the error over the power of the reference, and the mean cosine of the angle between the two.
    """
    ratios, cosines = [], []
    for name in reference[0]:
        pairs = [(want[name].ravel().astype(np.float64), got[name].ravel()) for want, got in zip(reference, found)]
        power = sum(float(want @ want) for want, _ in pairs)
        ratios.append(sum(float(((want - got) ** 2).sum()) for want, got in pairs) / power)
        cosines.append(
            float(np.mean([want @ got / (np.linalg.norm(want) * np.linalg.norm(got)) for want, got in pairs]))
        )
    return max(ratios), min(cosines)
