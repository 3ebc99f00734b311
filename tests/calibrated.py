"""A calibration folder as the calibration stage leaves it, measured on a few random crops."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime

from siamtrt import Manifest, ModelCard
from siamtrt.files import sha256
from siamtrt.ranges import Ranges, TensorRange, file_name

SAMPLES = {"target": "template", "search": "search", "search_lost": "search_lost"}


def write_calibration(folder: Path, onnx_folder: Path, *, samples: int = 2, seed: int = 0) -> Path:
    """Write ranges, samples and manifest for the graphs of *onnx_folder*, and return *folder*.

    Without samples every range is -1 to 1, which is enough where nothing is run.
    """
    rng = np.random.default_rng(seed)
    carried: dict = {}
    names = []
    for graph in ModelCard.load(onnx_folder).graphs:
        path = onnx_folder / f"{graph.name}.onnx"
        floats = [spec.name for spec in graph.inputs] + _floats(path)
        seen: dict = {} if samples else dict.fromkeys(floats, (-1.0, 1.0))
        run = _every_tensor(path) if samples else None
        for number in range(samples):
            feeds = {
                spec.name: carried.get(spec.name, rng.integers(0, 256, spec.shape).astype(np.float32))
                for spec in graph.inputs
            }
            if graph.name in SAMPLES:
                out = folder / "samples" / SAMPLES[graph.name] / f"{number:04}.png"
                out.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(out), feeds[graph.inputs[0].name][0].transpose(1, 2, 0).astype(np.uint8))
                names.append(str(out.relative_to(folder)))
            values = {**feeds, **run(feeds)}
            carried.update({spec.name: values[spec.name] for spec in graph.outputs})
            for name, value in values.items():
                low, high = seen.get(name, (0.0, 0.0))
                seen[name] = (min(low, float(value.min())), max(high, float(value.max())))
        tensors = {
            name: TensorRange(low, high, max(-low, high), "minmax") for name, (low, high) in seen.items() if high > low
        }
        Ranges(sha256(path), tensors).save(folder / file_name(graph.name))
        names.append(file_name(graph.name))
    settings = {"calibration_sources": ["noise"], "crops": samples, "seed": seed, "method": "minmax"}
    Manifest.of(folder, names, stage="calibration", command="", parents=[], settings=settings, environment={}).save(
        folder
    )
    return folder


def _floats(path: Path):
    """The float tensors that the nodes of a graph put out."""
    graph = onnx.shape_inference.infer_shapes(onnx.load(str(path))).graph
    values = (*graph.value_info, *graph.output)
    floats = {value.name for value in values if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    return [name for node in graph.node if node.op_type != "Constant" for name in node.output if name in floats]


def _every_tensor(path: Path):
    model = onnx.load(str(path))
    names = _floats(path)
    known = {value.name for value in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda feeds: dict(zip(names, session.run(names, feeds)))
