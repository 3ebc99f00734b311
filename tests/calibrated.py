"""A calibration folder as the calibration stage leaves it, measured on noise; made without that stage."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto

from siamtrt import Manifest, ModelCard
from siamtrt.files import sha256
from siamtrt.ranges import Ranges, TensorRange, file_name

SAMPLES = {"target": "template", "search": "search", "search_lost": "search_lost"}


def activations(model, feed):
    """Every float activation of *model* for one *feed*, by name."""
    return _probe(model)(feed)


def ranges_of(model, feeds, digest="0" * 64):
    """The least and greatest value of every tensor over *feeds*."""
    return _spanning([activations(model, feed) for feed in feeds], digest)


def write_calibration(folder: Path, onnx_folder: Path, *, samples=3, seed=0, sources=("noise",), frame=None) -> Path:
    """Write crops of noise, the ranges of all graphs on them, and the manifest; return *folder*.

    The features and kernels of one graph feed the next. With *frame* the crops are cut out of it. Without samples every
    range is -1 to 1, which is enough where nothing is run.
    """
    rng = np.random.default_rng(seed)
    made = [{} for _ in range(samples)]  # by the graphs so far, for each sample
    names = []
    for graph in ModelCard.load(onnx_folder).graphs:
        path = onnx_folder / f"{graph.name}.onnx"
        model = onnx.load(str(path))
        if graph.name in SAMPLES:
            (crop,) = graph.inputs
            for index, values in enumerate(made):
                image = _image(rng, crop.shape[2:], frame)
                names.append(f"samples/{SAMPLES[graph.name]}/{index:05d}.png")
                (folder / names[-1]).parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(folder / names[-1]), image)
                values[crop.name] = image.transpose(2, 0, 1)[None].astype(np.float32)
        ranges = _ranges(model, graph, made, sha256(path))
        ranges.save(folder / file_name(graph.name))
        names.append(file_name(graph.name))
    settings = {"calibration_sources": list(sources), "crops": samples, "seed": seed, "method": "minmax"}
    command = "python -m calibration"
    Manifest.of(
        folder, names, stage="calibration", command=command, parents=[], settings=settings, environment={}
    ).save(folder)
    return folder


def _image(rng, size, frame):
    """Noise, or a part of *frame* at a random place and scale."""
    if frame is None:
        return rng.integers(0, 256, (*size, 3), np.uint8)
    side = int(rng.integers(40, min(frame.shape[:2])))
    top, left = (int(rng.integers(0, length - side)) for length in frame.shape[:2])
    return cv2.resize(frame[top : top + side, left : left + side], size[::-1], interpolation=cv2.INTER_LINEAR)


def _ranges(model, graph, made, digest):
    """The ranges of one graph; its outputs join what was made."""
    if not made:
        names = [*(spec.name for spec in graph.inputs), *_floats(model)]
        return Ranges(digest, {name: TensorRange(-1.0, 1.0, 1.0, "minmax") for name in names})
    seen = []
    for values in made:
        for weight in model.graph.initializer:
            if weight.name in values:
                weight.raw_data = values[weight.name].tobytes()  # a kernel: that of this target
        seen.append(_probe(model)({spec.name: values[spec.name] for spec in graph.inputs}))
    for values, found in zip(made, seen):
        values.update({spec.name: found[spec.name] for spec in graph.outputs})
    return _spanning(seen, digest)


def _spanning(seen, digest):
    tensors = {}
    for values in seen:
        for name, value in values.items():
            old = tensors.get(name, TensorRange(-1e-6, 1e-6, 1e-6, "minmax"))
            low, high = min(old.low, float(value.min())), max(old.high, float(value.max()))
            tensors[name] = TensorRange(low, high, max(-low, high), "minmax")
    return Ranges(digest, tensors)


def _floats(model):
    """The float tensors that the nodes of a graph put out."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = (*graph.value_info, *graph.output)
    floats = {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT}
    return [name for node in graph.node if node.op_type != "Constant" for name in node.output if name in floats]


def _probe(model):
    """A function from a feed to every float activation."""
    names = _floats(model)
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda feed: {**dict(zip(names, session.run(names, feed))), **feed}
