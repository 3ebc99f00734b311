"""What each shape of convolution of a model takes at other widths: graphs of independent convolutions, profiled.

A pruned network is as fast as its widths let the hardware be, which is no straight line: blocks of channels are
computed whole. So a grid of widths is timed by the layer profiler of the backend that will run it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional, Tuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.profiling.layers.layer_report import original_name
from benchmarks.profiling.layers.onnx_profile import profile
from siamtrt import GraphCard, ModelCard, TensorSpec
from siamtrt.progress import progress_bar
from siamtrt.widths import ConvTimes, shape_key

_POINTS = 4  # widths of a grid a side
_SMALL = 4  # the colours of an image are no width


@dataclass(frozen=True)
class ConvShape:
    """A convolution but for its widths."""

    kernel: int
    stride: int
    dilation: int
    padding: int
    input_px: int
    depthwise: bool

    @property
    def key(self) -> str:
        """Its name in the table."""
        return shape_key(self.kernel, self.stride, self.dilation, self.padding, self.input_px, depthwise=self.depthwise)


def conv_shapes(model: onnx.ModelProto) -> Dict[ConvShape, Tuple[int, int]]:
    """Each shape of convolution in *model*, and the largest widths (inputs, outputs) that it occurs with."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    weights = {tensor.name: tuple(tensor.dims) for tensor in inferred.initializer}
    sides = {
        value.name: value.type.tensor_type.shape.dim[-1].dim_value
        for value in (*inferred.value_info, *inferred.input)
        if len(value.type.tensor_type.shape.dim) == 4
    }
    largest: Dict[ConvShape, Tuple[int, int]] = {}
    for node in model.graph.node:
        if node.op_type != "Conv" or node.input[1] not in weights:
            continue
        settings = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        outputs, per_group = weights[node.input[1]][:2]
        groups = settings.get("group", 1)
        shape = ConvShape(
            weights[node.input[1]][2],
            settings.get("strides", [1])[0],
            settings.get("dilations", [1])[0],
            settings.get("pads", [0])[0],
            sides[node.input[0]],
            groups > 1,
        )
        before = largest.get(shape, (1, 1))
        largest[shape] = (max(before[0], per_group), max(before[1], outputs))
    return largest


def width_times(
    onnx_folder: Path, multiple: int, runs: int, threads: Optional[int], graphs: Tuple[str, ...] = ("search",)
) -> Dict[str, ConvTimes]:
    """Times of every shape of convolution in *graphs* on ONNX Runtime.

    Args:
        onnx_folder: written by ``python -m export``.
        multiple: widths are multiples of it; the model's own are timed too.
        runs: that the medians are of.
        threads: of each operator.
        graphs: names of them.

    Raises:
        ArtifactError: a graph is missing or cannot be run.
    """
    ModelCard.load(onnx_folder)
    shapes: Dict[ConvShape, Tuple[int, int]] = {}
    for name in graphs:
        for shape, (inputs, outputs) in conv_shapes(onnx.load(str(onnx_folder / f"{name}.onnx"))).items():
            before = shapes.get(shape, (1, 1))
            shapes[shape] = (max(before[0], inputs), max(before[1], outputs))
    with tempfile.TemporaryDirectory() as folder:
        return {
            shape.key: _timed(shape, widths, multiple, runs, threads, Path(folder))
            for shape, widths in progress_bar(shapes.items(), desc="widths", unit="shape")
        }


def grid(largest: int, multiple: int) -> Tuple[int, ...]:
    """A few widths up to *largest*: multiples, evenly spread, and *largest* itself."""
    blocks = -(-largest // multiple)
    chosen = sorted({max(1, round(blocks * (point + 1) / _POINTS)) for point in range(_POINTS)})
    return tuple(sorted({min(largest, block * multiple) for block in chosen} | {largest}))


def _timed(
    shape: ConvShape, widths: Tuple[int, int], multiple: int, runs: int, threads: Optional[int], folder: Path
) -> ConvTimes:
    inputs = widths[:1] if widths[0] <= _SMALL else grid(widths[0], multiple)  # 1 for a depthwise one
    outputs = grid(widths[1], multiple)
    path = folder / "widths.onnx"
    specs = _write(shape, inputs, outputs, path)
    card = GraphCard("widths", specs, (), "search")
    times = {original_name(layer.name): layer.ms_p50 for layer in profile(path, card, runs, threads)}
    return ConvTimes(inputs, outputs, tuple(tuple(times[_name(i, o)] for i in inputs) for o in outputs))


def _name(inputs: int, outputs: int) -> str:
    return f"from_{inputs}_to_{outputs}"


def _write(shape: ConvShape, inputs: Tuple[int, ...], outputs: Tuple[int, ...], path: Path) -> Tuple[TensorSpec, ...]:
    """One graph with a convolution for each pair of widths, none reading another."""
    rng = np.random.default_rng(0)
    nodes, weights, made = [], [], []
    read: Dict[int, TensorSpec] = {}
    for out in outputs:
        for width in inputs:
            channels = out if shape.depthwise else width
            read[channels] = TensorSpec(f"x{channels}", (1, channels, shape.input_px, shape.input_px))
            size = (out, 1 if shape.depthwise else width, shape.kernel, shape.kernel)
            name = _name(width, out)
            values = rng.standard_normal(size).astype(np.float32)
            weights.append(numpy_helper.from_array(values, f"w_{name}"))
            nodes.append(
                helper.make_node(
                    "Conv",
                    [f"x{channels}", f"w_{name}"],
                    [name],
                    name=name,
                    strides=[shape.stride] * 2,
                    dilations=[shape.dilation] * 2,
                    pads=[shape.padding] * 4,
                    group=out if shape.depthwise else 1,
                )
            )
            made.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    specs = tuple(read.values())
    given = [helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, spec.shape) for spec in specs]
    graph = helper.make_graph(nodes, "widths", given, made, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    path.write_bytes(model.SerializeToString())
    return specs
