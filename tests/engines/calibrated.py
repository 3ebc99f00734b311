"""A calibration folder for a tiny model, measured by onnxruntime on noise; made without the calibration stage."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from siamtrt import Manifest
from siamtrt.files import sha256
from siamtrt.ranges import Ranges, TensorRange, file_name

SAMPLES = 3


def activations(model, feed):
    """Every float activation of *model* for one *feed*, by name."""
    names = [name for node in model.graph.node if node.op_type != "Constant" for name in node.output]
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return {**dict(zip(names, session.run(names, feed))), **feed}


def ranges_of(model, feeds, digest="0" * 64):
    """The least and greatest value of every tensor over *feeds*."""
    tensors = {}
    for feed in feeds:
        for name, value in activations(model, feed).items():
            old = tensors.get(name, TensorRange(-1e-6, 1e-6, 1e-6, "minmax"))
            low, high = min(old.low, float(value.min())), max(old.high, float(value.max()))
            tensors[name] = TensorRange(low, high, max(-low, high), "minmax")
    return Ranges(digest, tensors)


def write_calibration(folder: Path, onnx_folder: Path, *, sources=("clip",)) -> Path:
    """Crops of noise, the ranges of the three graphs on them (xcorr's with real kernels), and the manifest."""
    rng = np.random.default_rng(0)
    models = {name: onnx.load(str(onnx_folder / f"{name}.onnx")) for name in ("target", "search", "xcorr")}
    feeds = {"target": [], "search": [], "xcorr": []}
    names = [file_name(graph) for graph in feeds]
    for index in range(SAMPLES):
        crops = {
            name: rng.integers(0, 256, (side, side, 3), np.uint8) for name, side in (("template", 127), ("search", 255))
        }
        for name, crop in crops.items():
            crop = cv2.blur(crop, (5, 5))
            path = folder / "samples" / name / f"{index:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), crop)
            names.append(path.relative_to(folder).as_posix())
            graph = "target" if name == "template" else name
            feeds[graph].append({name: crop.transpose(2, 0, 1)[None].astype(np.float32)})
        seen = activations(models["search"], feeds["search"][-1])
        seen.update(activations(models["target"], feeds["target"][0]))
        feeds["xcorr"].append({value.name: seen[value.name] for value in models["xcorr"].graph.input})
    kernels = activations(models["target"], feeds["target"][0])
    for weight in models["xcorr"].graph.initializer:
        if weight.name.startswith("kernel_"):
            weight.raw_data = kernels[weight.name].tobytes()
    for graph, model in models.items():
        ranges_of(model, feeds[graph], sha256(onnx_folder / f"{graph}.onnx")).save(folder / file_name(graph))
    settings = {"calibration_sources": list(sources), "method": "minmax"}
    command = "python -m calibration"
    Manifest.of(
        folder, names, stage="calibration", command=command, parents=[], settings=settings, environment={}
    ).save(folder)
    return folder
