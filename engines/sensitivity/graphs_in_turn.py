"""The graphs of a search run one after another on calibration crops, with any of them replaced by a variant."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping, Sequence, Tuple

import numpy as np
import onnx
from onnx import numpy_helper

from engines.graph import read_graph
from engines.int8 import sample_files, samples_of, spread_samples
from siamtrt import ArtifactError, ModelCard, Tensors, UsageError
from siamtrt.card import XCORR
from siamtrt.libraries.onnxruntime import open_session

Noise = Tuple[float, float]


class GraphsInTurn:
    """The FP32 graphs of a model's ordinary search on some samples; what they read and put out stays at hand.

    Args:
        folder: written by the export stage.
        calibration: a calibration folder; its samples are pairs: a template, and a search crop of the same target.
        count: how many samples to run, spread over all there are.
        threads: how many each operator takes; all cores when None.

    Attributes:
        card: the card of the model.
        models: graph name -> its FP32 form, in the order they run.
        maps: ``GRAPH:NAME`` -> map of each xcorr graph, for each sample.

    Raises:
        UsageError: *count* is not positive, or the kernels are inputs of the xcorr graph.
        ArtifactError: a graph or sample cannot be read, or there are fewer samples than *count*.
    """

    def __init__(self, folder: Path, calibration: Path, count: int, *, threads: int | None = None) -> None:
        self.card, self._threads = ModelCard.load(folder), threads
        if self.card.kernel_inputs:
            raise UsageError(f"{folder} was exported with --kernel-inputs", hint="export without, for this measurement")
        names = (self.card.target.name, *self.card.search.graphs)
        self.models = {name: read_graph(folder / f"{name}.onnx") for name in names}
        self._feeds: dict[str, list[Tensors]] = {}
        self._outputs: dict[str, list[Tensors]] = {}
        self._makers: dict[str, dict[str, str]] = {}  # graph -> tensor it reads -> the graph that makes it, if one does
        tensors = self._crops(calibration, count)
        makers: dict[str, str] = {}
        for name, model in self.models.items():
            read = [*self._input_names(name), *self.card.refitted(name)]
            self._makers[name] = {tensor: makers[tensor] for tensor in read if tensor in makers}
            self._feeds[name] = [{tensor: sample[tensor] for tensor in read} for sample in tensors]
            self._outputs[name] = self._run(name, model, self._feeds[name])
            for sample, outputs in zip(tensors, self._outputs[name]):
                sample.update(outputs)
                makers.update(dict.fromkeys(outputs, name))
        self.maps = self._maps(self._outputs)

    def variant(self, graph: str, model: onnx.ModelProto) -> list[Tensors]:
        """The maps of every sample with *model* in place of *graph*."""
        outputs = {graph: self._run(graph, model, self._feeds[graph])}
        for name, makers in self._makers.items():
            if outputs.keys() & makers.values():
                new = {tensor: outputs[maker] for tensor, maker in makers.items() if maker in outputs}
                feeds = [
                    {**feed, **{tensor: samples[index][tensor] for tensor, samples in new.items()}}
                    for index, feed in enumerate(self._feeds[name])
                ]
                outputs[name] = self._run(name, self.models[name], feeds)
        return self._maps({**self._outputs, **outputs})

    def inputs(self, graph: str) -> list[Tensors]:
        """What *graph* is given in each sample."""
        return [{name: feed[name] for name in self._input_names(graph)} for feed in self._feeds[graph]]

    def kernels(self, graph: str) -> list[Tensors]:
        """The weights of *graph* that the target of each sample brings."""
        return [{name: feed[name] for name in self.card.refitted(graph)} for feed in self._feeds[graph]]

    def _input_names(self, graph: str) -> list[str]:
        return [value.name for value in self.card.graph(graph).inputs]

    def _crops(self, calibration: Path, count: int) -> list[Tensors]:
        """The crops of each sample, by the names of the inputs that take them."""
        crops = {}
        for graph in self.models:
            folder = samples_of(calibration, self.card, graph)
            if folder is not None:
                available = len(sample_files(folder))
                if not 0 < count <= available:
                    raise UsageError(
                        f"{count} samples were asked for, {calibration} has {available}", hint="--samples 8"
                    )
                (crop,) = self.card.graph(graph).inputs
                crops[crop.name] = spread_samples(folder, crop.shape, count)
        return [dict(zip(crops, sample)) for sample in zip(*crops.values())]

    def _run(self, graph: str, model: onnx.ModelProto, feeds: Sequence[Tensors]) -> list[Tensors]:
        """The outputs for each of *feeds*, inputs and kernels; without kernels one session serves all."""
        names = [output.name for output in self.card.graph(graph).outputs]
        kernels = self.card.refitted(graph)
        shared = None if kernels else open_session(model.SerializeToString(), threads=self._threads)
        outputs = []
        for feed in feeds:
            own = {name: feed[name] for name in kernels}
            session = shared or open_session(refitted(model, own), threads=self._threads)
            inputs = {name: value for name, value in feed.items() if name not in kernels}
            outputs.append(dict(zip(names, session.run(names, inputs))))
        return outputs

    def _maps(self, outputs: Mapping[str, Sequence[Tensors]]) -> list[Tensors]:
        correlating = [graph for graph in self.models if self.card.graph(graph).role == XCORR]
        samples = zip(*(outputs[graph] for graph in correlating))
        return [
            {f"{graph}:{name}": value for graph, maps in zip(correlating, sample) for name, value in maps.items()}
            for sample in samples
        ]


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


def noise(reference: Sequence[Tensors], distorted: Sequence[Tensors]) -> Noise:
    """How far the maps of all samples are from their reference, for the map that suffers most.

    Returns:
        The power of the error over the power of the reference, and the mean cosine of the angle between the two.
    """
    ratios, cosines = [], []
    for name in reference[0]:
        pairs = [(want[name].ravel().astype(np.float64), got[name].ravel()) for want, got in zip(reference, distorted)]
        power = sum(float(want @ want) for want, _ in pairs)
        ratios.append(sum(float(((want - got) ** 2).sum()) for want, got in pairs) / power)
        cosines.append(
            float(np.mean([want @ got / (np.linalg.norm(want) * np.linalg.norm(got)) for want, got in pairs]))
        )
    return max(ratios), min(cosines)
