"""Take back the systematic part of what rounding does to a convolution: it costs nothing when the engine runs.

Rounded weights on rounded inputs shift the mean of each output channel, and the first layers, which see raw pixels, and
depthwise ones, which have few weights, let no shifts cancel. The shifts are measured on real crops and subtracted from
the biases, from the input to the outputs, since each shift moves what lies behind it.

Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, sec. 4.2; the
means are measured there from batch norms, here from crops.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Dict, List, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper
from tqdm import tqdm

from engines.onnxruntime.integer_plan import IntegerNode, integer_nodes
from engines.onnxruntime.quantize import quantize, raw_output
from siamtrt import Array, Tensors
from siamtrt.libraries.onnxruntime import open_session
from siamtrt.ranges import Ranges


def correct_biases(
    model: onnx.ModelProto, ranges: Ranges, samples: Sequence[Tensors], *, keep: Sequence[str] = ()
) -> onnx.ModelProto:
    """Move the biases of the convolutions that will be integers, so that the mean of each channel stays what it was.

    Args:
        model: a float32 graph; not changed.
        ranges: of its activations.
        samples: inputs of the graph, by name.
        keep: names of nodes that stay in floating point.

    Returns:
        A copy of *model*, or *model* where no convolution has a bias of its own.
    """
    levels = _levels(model, integer_nodes(model.graph, keep))
    if not levels:
        return model
    outputs = [each.node.output[0] for level in levels for each in level]
    wanted = dict(zip(outputs, _channel_means(model, outputs, samples)))
    corrected = onnx.ModelProto()
    corrected.CopyFrom(model)
    weights = {weight.name: weight for weight in corrected.graph.initializer}
    for level in tqdm(levels, desc="bias correction", unit="level", leave=False):
        rounded = quantize(corrected, ranges, keep=keep)
        found = _channel_means(rounded, [raw_output(each) for each in level], samples)
        for each, mean in zip(level, found):
            bias = weights[each.node.input[2]]
            moved = numpy_helper.to_array(bias) - (mean - wanted[each.node.output[0]])
            bias.CopyFrom(numpy_helper.from_array(moved.astype(np.float32), bias.name))
    return corrected


def _levels(model: onnx.ModelProto, plan: Sequence[IntegerNode]) -> List[List[IntegerNode]]:
    """The convolutions of *plan* that have a bias of their own, by how many of them lie before."""
    uses = Counter(name for node in model.graph.node for name in node.input)
    biased = [each for each in plan if each.node.op_type == "Conv" and len(each.node.input) > 2]
    wanted = {each.node.output[0]: each for each in biased if uses[each.node.input[2]] == 1}
    depths: Dict[str, int] = {}
    levels: Dict[int, List[IntegerNode]] = defaultdict(list)
    for node in model.graph.node:
        depth = max((depths.get(name, 0) for name in node.input), default=0)
        each = wanted.get(node.output[0])
        if each is not None:
            levels[depth].append(each)
        depths.update((name, depth + (each is not None)) for name in node.output)
    return [levels[depth] for depth in sorted(levels)]


def _channel_means(model: onnx.ModelProto, tensors: Sequence[str], samples: Sequence[Tensors]) -> List[Array]:
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
