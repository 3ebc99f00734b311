"""Layer times from ONNX Runtime's own profile of a run of its own: profiling slows a session down."""

from __future__ import annotations

import json
import logging
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any, Mapping

import numpy as np
import onnx

from benchmarks.profiling.layers.layer_report import Layer, original_name
from siamtrt import ArtifactError, GraphCard, Tensors
from siamtrt.libraries.onnxruntime import open_session
from siamtrt.work import node_macs

_WARM_UP = 5
_ITEM_BYTES = {"float": 4, "float16": 2, "double": 8, "int64": 8, "int32": 4, "uint8": 1, "int8": 1, "bool": 1}
_NAMES = {"float": "float32"}
_KERNEL = "_kernel_time"
_COMPUTES = ("Conv", "FusedConv", "QLinearConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul", "QLinearMatMul", "QGemm")
_PACKED = "QLinearConv"  # its weights, a byte each
_FUSED_BEHIND = ("Relu", "LeakyRelu", "Clip", "Sigmoid", "HardSigmoid", "Cast")

log = logging.getLogger(__name__)


def profile(path: Path, graph: GraphCard, runs: int, threads: int | None) -> list[Layer]:
    """Run one graph and take the median of each of its nodes.

    Args:
        path: the ONNX file.
        graph: its interface; inputs are filled with noise, since time does not depend on values here.
        runs: how many are counted, after a warm-up.
        threads: of each operator.

    Raises:
        ArtifactError: the graph cannot be opened, or ONNX Runtime wrote no profile.
    """
    rng = np.random.default_rng(0)
    feeds: Tensors = {spec.name: rng.random(spec.shape, np.float32) for spec in graph.inputs}
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(path, threads=threads, profile_prefix=Path(folder) / "profile")
        for _ in range(_WARM_UP + runs):
            session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    model = onnx.load(str(path))
    return layers(events, graph.name, runs, macs_of(model), weights_of(model))


def layers(
    events: list[dict[str, Any]], graph: str, runs: int, macs: Mapping[str, int], weights: Mapping[str, int]
) -> list[Layer]:
    """Turn profile events into layers, in the order they ran; the last *runs* durations of each count.

    Args:
        events: of ONNX Runtime's profile.
        graph: name for the layers.
        runs: how many were asked for.
        macs: node name -> multiply-accumulates, see :func:`macs_of`.
        weights: node name -> how many weights it has, see :func:`weights_of`.

    Raises:
        ArtifactError: there is no event of a node.
    """
    durations: dict[str, list[float]] = defaultdict(list)
    details: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_KERNEL):
            name = event["name"][: -len(_KERNEL)]
            durations[name].append(event["dur"] / 1000)
            details[name] = event["args"]
    if not durations:
        raise ArtifactError(f"ONNX Runtime's profile of {graph} names no node")
    nameless = [
        name for name in durations if details[name].get("op_name") in _COMPUTES and original_name(name) not in macs
    ]
    if nameless:
        log.warning(
            "this ONNX Runtime dropped the names of %d layers of %s, so their work counts as 0", len(nameless), graph
        )
    return [
        _layer(
            graph,
            name,
            details[name],
            durations[name][-runs:],
            macs.get(original_name(name), 0),
            weights.get(original_name(name), 0),
        )
        for name in durations
    ]


def macs_of(model: onnx.ModelProto) -> dict[str, int]:
    """Multiply-accumulates of each convolution and matrix product, by node name and by output.

    The activations and casts behind one are listed with the same number: a backend that fuses them names the result
    after the last of them. So look a name up only for a layer that computes products.
    """
    return _by_name(model, node_macs(model))


def weights_of(model: onnx.ModelProto) -> dict[str, int]:
    """How many weights, unpadded and without biases, each convolution and product has, named as by :func:`macs_of`."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    shapes = {weight.name: tuple(weight.dims) for weight in inferred.initializer}
    for value in inferred.value_info:
        shapes.setdefault(value.name, tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim))
    computes = node_macs(model)
    counts = {
        node.output[0]: int(np.prod(shapes.get(node.input[3 if node.op_type == _PACKED else 1], (0,))))
        for node in model.graph.node
        if node.output[0] in computes
    }
    return _by_name(model, counts)


def _by_name(model: onnx.ModelProto, by_output: Mapping[str, int]) -> dict[str, int]:
    """Counts by the name of the node and by its output, those of what may be fused behind it included."""
    counts = dict(by_output)
    for node in model.graph.node:
        if node.output[0] in by_output:
            counts[node.name] = by_output[node.output[0]]
        elif node.op_type in _FUSED_BEHIND and node.input[0] in counts:
            counts[node.name] = counts[node.output[0]] = counts[node.input[0]]
    return counts


def _layer(graph: str, name: str, details: dict[str, Any], durations_ms: list[float], macs: int, weights: int) -> Layer:
    inputs, outputs = (_tensors(details.get(f"{side}_type_shape", [])) for side in ("input", "output"))
    kind = details.get("op_name", "unknown")
    dtype, shape = outputs[0] if outputs else ("unknown", ())
    # A weight that was packed when the graph was loaded is no input any more, though it is read in every run.
    packed_bytes = weights if kind == _PACKED else 0
    return Layer(
        graph=graph,
        name=name,
        type=kind,
        precision=_NAMES.get(dtype, dtype),
        output_shape=shape,
        ms_p50=statistics.median(durations_ms),
        macs=macs if kind in _COMPUTES else 0,
        bytes=packed_bytes + sum(_ITEM_BYTES.get(item, 4) * int(np.prod(size)) for item, size in (*inputs, *outputs)),
    )


def _tensors(entries: list[dict[str, list[int]]]) -> list[tuple[str, tuple[int, ...]]]:
    return [(dtype, tuple(shape)) for entry in entries for dtype, shape in entry.items()]
