"""What INT8 takes from a calibration, whatever the backend: activation ranges, crops, and biases corrected on those."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import cv2
import numpy as np
import onnx
from onnx import helper, numpy_helper

from siamtrt import Array, ArtifactError, GraphPrecisions, Manifest, ModelCard, Tensors, TensorSpec, UsageError
from siamtrt.files import sha256, visible
from siamtrt.libraries.onnxruntime import open_session
from siamtrt.progress import progress_bar
from siamtrt.ranges import Ranges, file_name

_SUFFIXES = (".png", ".npy")
_CORRECTION_SAMPLES = 16


@dataclass(frozen=True)
class Int8Options:
    """What a caller wishes of INT8.

    Attributes:
        ranges: a finished calibration folder; INT8 needs one.
        float_layers: what stays in floating point: ``LAYER``, in every INT8 graph that has a node of this name, or
            ``GRAPH:LAYER``.
        correction_samples: how many crops biases are corrected on, 0 for none; 16 when None.
    """

    ranges: Path | None = None
    float_layers: tuple[str, ...] = ()
    correction_samples: int | None = None


@dataclass(frozen=True)
class Int8:
    """What an INT8 engine of one graph needs beside the graph.

    Attributes:
        ranges: the values its activations take, measured on this graph.
        floats: names of the nodes that the caller wishes in floating point, sorted.
        samples: folder of the crops that the graph was calibrated on; None where it sees no crops: the inputs of an
            xcorr graph, 5 MB a frame, are not stored.
        correction_samples: how many of them biases are corrected on; 0 leaves biases as they are.
        corrections: folder where biases are kept once they are corrected; None keeps none.
        earlier: of a search graph behind the first stage, the float graphs of the stages before, in order.
        first_samples: of such a graph, the folder of the crops that the first of them sees.
    """

    ranges: Ranges
    floats: tuple[str, ...] = ()
    samples: Path | None = None
    correction_samples: int = 0
    corrections: Path | None = None
    earlier: tuple[Path, ...] = ()
    first_samples: Path | None = None

    @property
    def crops(self) -> Path | None:
        """The folder of the crops that biases are corrected on, be it by way of earlier graphs; None for none."""
        return (self.samples or self.first_samples) if self.correction_samples else None


@dataclass(frozen=True)
class Int8Inputs:
    """The proved inputs of an INT8 build; empty for a build without INT8.

    Attributes:
        by_graph: what each INT8 graph needs.
        parents: the ranges files, for the manifest.
        settings: for the manifest.
    """

    by_graph: Mapping[str, Int8]
    parents: tuple[Path, ...]
    settings: Mapping[str, Any]


def int8_inputs(onnx_folder: Path, card: ModelCard, precisions: GraphPrecisions, wish: Int8Options) -> Int8Inputs:
    """Read what *wish* names, and prove that it fits the graphs.

    Args:
        onnx_folder: written by the export stage.
        card: the card of the model.
        precisions: what its graphs shall compute in.
        wish: what the caller wishes.

    Raises:
        UsageError: INT8 without ranges, ranges or other settings of INT8 without it, a negative count of crops, or a
            layer that no INT8 graph has.
        ArtifactError: the calibration is unfinished, changed or of other graphs, or lacks a graph.
    """
    graphs = [graph.name for graph in card.graphs if precisions.of(graph).is_int8]
    if not graphs:
        if wish.ranges or wish.float_layers:
            raise UsageError(f"no graph of {precisions} is INT8, so ranges and float layers have no use")
        if wish.correction_samples is not None:
            raise UsageError("biases are corrected in INT8 only", hint="leave out --correction-samples")
        return Int8Inputs({}, (), {})
    hint = f"python -m calibration --onnx {onnx_folder} --frames DIR --out DIR, then --ranges DIR"
    if wish.ranges is None:
        raise UsageError(f"{graphs[0]} cannot be built in INT8 without activation ranges", hint=hint)
    correction_samples = _CORRECTION_SAMPLES if wish.correction_samples is None else wish.correction_samples
    if correction_samples < 0:
        raise UsageError(
            f"biases cannot be corrected on {correction_samples} crops", hint="--correction-samples 0 for none"
        )
    calibration = Manifest.load(wish.ranges, stage="calibration")
    missing = [graph for graph in graphs if file_name(graph) not in calibration.files]
    if missing:
        raise ArtifactError(f"{wish.ranges} holds no activation ranges of {', '.join(missing)}", hint=hint)
    floats = _float_layers(onnx_folder, card, graphs, wish.float_layers)
    settings = {
        "keep": sorted(f"{graph}:{layer}" for graph, layers in floats.items() for layer in layers),
        "calibration_sources": calibration.settings.get("calibration_sources", []),
        "calibration_method": calibration.settings.get("method"),
        "correction_samples": correction_samples,
    }
    by_graph = {
        graph: Int8(
            Ranges.load(wish.ranges / file_name(graph), onnx=onnx_folder / f"{graph}.onnx"),
            tuple(sorted(floats.get(graph, ()))),
            samples_of(wish.ranges, card, graph),
            correction_samples,
            wish.ranges / "biases",
            *_earlier(onnx_folder, wish.ranges, card, graph),
        )
        for graph in graphs
    }
    return Int8Inputs(by_graph, tuple(wish.ranges / file_name(graph) for graph in sorted(graphs)), settings)


def _float_layers(
    folder: Path, card: ModelCard, graphs: Sequence[str], wishes: Sequence[str]
) -> Mapping[str, set[str]]:
    """Graph -> names of its nodes that *wishes* name; what is wished of a search holds for its other sizes too."""
    if not wishes:
        return {}
    ordinary = {name: first for search in card.searches[1:] for name, first in zip(search.graphs, card.search.graphs)}
    nodes = {graph: {node.name for node in onnx.load(str(folder / f"{graph}.onnx")).graph.node} for graph in graphs}
    layers: defaultdict[str, set[str]] = defaultdict(set)
    for wish in wishes:
        graph, _, layer = wish.rpartition(":")
        holders = [name for name in graphs if graph in ("", name, ordinary.get(name)) and layer in nodes[name]]
        if not holders:
            raise UsageError(
                f"no INT8 graph has a layer {wish!r}",
                hint="LAYER or GRAPH:LAYER, as python -m engines.sensitivity names them",
            )
        for name in holders:
            layers[name].add(layer)
    return layers


def samples_of(calibration: Path, card: ModelCard, graph: str) -> Path | None:
    """Where a calibration stores the crops that *graph* sees; None if it sees none."""
    crop = card.crop_of(graph)
    return calibration / "samples" / crop if crop else None


def _earlier(folder: Path, calibration: Path, card: ModelCard, graph: str) -> tuple[tuple[Path, ...], Path | None]:
    """The float graphs before a search graph of a later stage, and the crops that the first of them sees."""
    for search in card.searches:
        stages = [stage.search for stage in search.stages]
        if graph in stages[1:]:
            earlier = tuple(folder / f"{name}.onnx" for name in stages[: stages.index(graph)])
            return earlier, samples_of(calibration, card, stages[0])
    return (), None


def correction_feeds(int8: Int8, inputs: Sequence[TensorSpec]) -> list[Tensors]:
    """What a graph with these *inputs* sees on the crops that its biases are corrected on; empty without crops.

    Raises:
        ArtifactError: a sample cannot be read.
    """
    if int8.crops is None:
        return []
    graphs = [onnx.load(str(path)) for path in int8.earlier]
    picture = graphs[0].graph.input[0] if graphs else None
    shape = tuple(dim.dim_value for dim in picture.type.tensor_type.shape.dim) if picture else inputs[0].shape
    name = picture.name if picture else inputs[0].name
    feeds: list[Tensors] = [{name: crop} for crop in spread_samples(int8.crops, shape, int8.correction_samples)]
    for graph in graphs:
        session = open_session(graph.SerializeToString())
        names = [output.name for output in session.get_outputs()]
        taken = [node.name for node in session.get_inputs()]
        feeds = [dict(zip(names, session.run(names, {key: feed[key] for key in taken}))) for feed in feeds]
    return [{spec.name: feed[spec.name] for spec in inputs} for feed in feeds]


def sample_files(folder: Path) -> list[Path]:
    """The samples in *folder*, in the order of their names.

    Raises:
        ArtifactError: there is none.
    """
    files = [path for path in visible(folder) if path.suffix in _SUFFIXES]
    if not files:
        raise ArtifactError(f"{folder} holds no samples", hint="calibrate anew")
    return files


def spread_samples(folder: Path, shape: tuple[int, ...], most: int) -> list[Array]:
    """At most *most* samples, spread over all in *folder*; see :func:`read_sample`.

    Raises:
        ArtifactError: there is none, or one cannot be read.
    """
    files = sample_files(folder)
    count = min(most, len(files))
    return [read_sample(files[index * len(files) // count], shape) for index in range(count)]


def read_sample(path: Path, shape: tuple[int, ...]) -> Array:
    """Read one crop as a graph takes it.

    Args:
        path: a PNG, or an array of uint8, HxWx3 or 1x3xHxW; BGR.
        shape: the shape of the graph's input, 1x3xHxW.

    Returns:
        float32 of *shape*, 0..255, C-contiguous.

    Raises:
        ArtifactError: the file cannot be read, or has another shape or type.
    """
    try:
        crop = np.load(str(path), allow_pickle=False) if path.suffix == ".npy" else cv2.imread(str(path))
    except (OSError, ValueError, EOFError) as error:
        raise ArtifactError(f"cannot read the sample {path}: {error}", hint="calibrate anew") from error
    if crop is None or crop.dtype != np.uint8:
        raise ArtifactError(f"{path} is no uint8 crop", hint="calibrate anew")
    if crop.ndim == 3:
        crop = crop.transpose(2, 0, 1)[None]
    if crop.shape != shape:
        raise ArtifactError(f"{path} has the shape {crop.shape}, the graph takes {shape}", hint="calibrate anew")
    return np.ascontiguousarray(crop, np.float32)


def digest(paths: Sequence[Path]) -> str:
    """Hex digest of the content of all *paths*, in their order."""
    return hashlib.sha256("".join(sha256(path) for path in paths).encode()).hexdigest()


def correct_biases(
    model: onnx.ModelProto,
    samples: Sequence[Tensors],
    quantize: Callable[[onnx.ModelProto], onnx.ModelProto],
    raw_outputs: Mapping[str, str],
) -> onnx.ModelProto:
    """Take back the systematic part of what rounding does to convolutions: it costs nothing when the engine runs.

    Rounded weights on rounded inputs shift the mean of each output channel, and the first layers, which see raw pixels,
    and depthwise ones, which have few weights, let no shifts cancel. The shifts are measured on real crops and
    subtracted from the biases, from the input to the outputs, since each shift moves what lies behind it.

    Args:
        model: a float32 graph; not changed.
        samples: inputs of the graph, by name.
        quantize: gives the 8-bit form of *model*, and of copies of it with other biases.
        raw_outputs: output of each convolution that will be in integers -> the tensor of the 8-bit form that holds it
            before it is rounded.

    Returns:
        A copy of *model*, or *model* where no such convolution has a bias of its own.

    Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, sec. 4.2;
    the means are measured there from batch norms, here from crops.
    """
    levels = _levels(model, raw_outputs)
    if not levels:
        return model
    outputs = [node.output[0] for level in levels for node in level]
    wanted = dict(zip(outputs, _channel_means(model, outputs, samples)))
    corrected = onnx.ModelProto()
    corrected.CopyFrom(model)
    weights = {weight.name: weight for weight in corrected.graph.initializer}
    for level in progress_bar(levels, desc="bias correction", unit="level", leave=False):
        means = _channel_means(quantize(corrected), [raw_outputs[node.output[0]] for node in level], samples)
        for node, mean in zip(level, means):
            bias = weights[node.input[2]]
            moved = numpy_helper.to_array(bias) - (mean - wanted[node.output[0]])
            bias.CopyFrom(numpy_helper.from_array(moved.astype(np.float32), bias.name))
    return corrected


def _levels(model: onnx.ModelProto, outputs: Mapping[str, str]) -> list[list[onnx.NodeProto]]:
    """The convolutions that give *outputs* and have a bias of their own, by how many of them lie before."""
    uses = Counter(name for node in model.graph.node for name in node.input)
    depths: dict[str, int] = {}
    levels: defaultdict[int, list[onnx.NodeProto]] = defaultdict(list)
    for node in model.graph.node:
        depth = max((depths.get(name, 0) for name in node.input), default=0)
        is_biased = node.output[0] in outputs and len(node.input) > 2 and uses[node.input[2]] == 1
        if is_biased:
            levels[depth].append(node)
        depths.update((name, depth + is_biased) for name in node.output)
    return [levels[depth] for depth in sorted(levels)]


def _channel_means(model: onnx.ModelProto, tensors: Sequence[str], samples: Sequence[Tensors]) -> list[Array]:
    """The mean of each channel of each tensor of *model* over all samples and places, float64."""
    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    del probed.graph.output[:]  # what does not lead to the means is not computed
    names = [f"{tensor}/mean" for tensor in tensors]
    for tensor, name in zip(tensors, names):
        probed.graph.node.append(helper.make_node("ReduceMean", [tensor], [name], axes=[0, 2, 3], keepdims=0))
        probed.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["channels"]))
    session = open_session(probed.SerializeToString())
    runs = [session.run(names, sample) for sample in samples]
    return [np.asarray([run[index] for run in runs], np.float64).mean(0) for index in range(len(names))]
