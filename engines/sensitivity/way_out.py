"""In which order layers should leave INT8: at each step those whose leaving helps the whole graph most."""

from __future__ import annotations

from typing import Callable, Mapping, Sequence

import onnx

from engines.sensitivity.graphs_in_turn import Noise
from engines.sensitivity.ranking import Loss, Step

_CANDIDATES = 3
_LEAST_GAIN = 0.05

Judge = Callable[[Sequence[str]], Noise]


def steps_out_of_int8(
    graph: str, model: onnx.ModelProto, losses: Sequence[Loss], judge: Judge, most_steps: int
) -> list[Step]:
    """Take layers out of INT8 one step after the other.

    What a layer reads was rounded by the layer before it, so leaving alone may gain nothing: a candidate is one of the
    worst layers still in INT8, alone or together with the convolution that feeds it.

    Args:
        graph: name of the graph.
        model: the graph in FP32.
        losses: what its layers cost alone, worst first; those that stay in floating point anyway left out.
        judge: tells noise and cosine of the graph in INT8 with some layers in floating point.
        most_steps: how many to take at most.

    Returns:
        The steps, the first of them with nothing left out; it ends where no candidate helps by 5 % any more.
    """
    feeders, shares = _feeders(model), {loss.layer: loss.macs_share for loss in losses}
    taken = [Step(graph, (), *judge([]), 0.0)]
    for _ in range(most_steps):
        floats = [layer for step in taken for layer in step.layers]
        rest = [loss.layer for loss in losses if loss.layer not in floats]
        groups = {(layer,) for layer in rest[:_CANDIDATES]} | {
            (layer, feeders[layer]) for layer in rest[:_CANDIDATES] if feeders.get(layer) in rest
        }
        trials = [
            Step(graph, group, *judge([*floats, *group]), sum(shares[layer] for layer in [*floats, *group]))
            for group in sorted(groups)
        ]
        best = min(trials, key=lambda step: step.noise, default=None)
        if best is None or best.noise > (1 - _LEAST_GAIN) * taken[-1].noise:
            break
        taken.append(best)
    return taken


def _feeders(model: onnx.ModelProto) -> Mapping[str, str]:
    """Convolution -> the one whose result it reads, directly or through activations of one input."""
    makers = {output: node for node in model.graph.node for output in node.output}
    feeders = {}
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        maker = makers.get(node.input[0])
        while maker is not None and maker.op_type in ("Relu", "Clip"):
            maker = makers.get(maker.input[0])
        if maker is not None and maker.op_type == "Conv":
            feeders[node.name] = maker.name
    return feeders
