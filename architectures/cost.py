"""Multiply-accumulates and parameters of LightTrack's architectures in closed form: exact, and no network is built.

Counted are the convolutions of the search and xcorr graphs and the correlation itself. Norms, activations and pools
count nothing, and neither does the template's branch: it runs once a target.
"""

from __future__ import annotations

from dataclasses import dataclass

from networks.lighttrack.architecture import STEM_WIDTH, Architecture, Block, Tower

SEARCH_PX = 256
_JOINED = 128
_STEM_WEIGHTS = 27  # 3x3 of three colours
_FIRST_SQUEEZED = 8
_PREDICTION_AREA = 9


@dataclass(frozen=True)
class Cost:
    """What a part of a network costs.

    Attributes:
        macs: multiply-accumulates of one frame.
        parameters: trained numbers, the norms' included.
        norm_values: values that batch norms put out.
        pooled_values: values that means over a map take in and put out.
        biased_values: values that convolutions with a bias put out.
    """

    macs: int = 0
    parameters: int = 0
    norm_values: int = 0
    pooled_values: int = 0
    biased_values: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.macs + other.macs,
            self.parameters + other.parameters,
            self.norm_values + other.norm_values,
            self.pooled_values + other.pooled_values,
            self.biased_values + other.biased_values,
        )


def parts(architecture: Architecture, search_px: int = SEARCH_PX) -> dict[str, Cost]:
    """The cost of each part in the order they run, under names like those of the exported layers."""
    side = _halved(search_px, 2)
    costs = {"stem": _convolution(_STEM_WEIGHTS, STEM_WIDTH, side) + _norm(STEM_WIDTH, side)}
    costs["blocks.0.0"] = first_block(side)
    for stage, blocks in enumerate(architecture.blocks, start=1):
        for place, block in enumerate(blocks):
            costs[f"blocks.{stage}.{place}"] = block_cost(block, side)
            side = _halved(side, block.stride)
    cells, channels = architecture.template_cells, architecture.channels
    costs["neck"] = Cost(parameters=4 * channels, norm_values=channels * (side * side + cells))
    costs["correlation"] = Cost(macs=cells * channels * side * side)
    costs["gate"] = _gate(cells, cells, side)
    costs["adjust"] = _convolution(cells, _JOINED, side, bias=True)
    for name, tower, outputs in (("cls", architecture.cls, 1), ("reg", architecture.reg, 4)):
        for place, cost in enumerate(tower_layers(tower, side)):
            costs[f"{name}_tower.{place}"] = cost
        costs[f"{name}_pred"] = _convolution(_PREDICTION_AREA * tower.width, outputs, side, bias=True)
    return costs


def total(architecture: Architecture, search_px: int = SEARCH_PX) -> Cost:
    """The cost of a whole network, the correlation included."""
    return sum(parts(architecture, search_px).values(), Cost())


def deployed_macs(architecture: Architecture, search_px: int = SEARCH_PX) -> int:
    """Multiply-accumulates of the exported search and xcorr graphs.

    They hold three layers more: the colours are normalised, the neck's norm is a convolution, and the scores have a
    second channel.
    """
    side = search_px // architecture.stride
    added = 9 * search_px**2 + architecture.channels * side**2 + _PREDICTION_AREA * architecture.cls.width * side**2
    return total(architecture, search_px).macs + added


def published_macs(architecture: Architecture, search_px: int = SEARCH_PX) -> int:
    """What the counter of the papers gives (thop 0.0.31), for comparison with their tables alone.

    It counts a norm twice a value and a bias once, adds what pools take in, and leaves out the correlation.
    """
    costs = parts(architecture, search_px)
    whole = sum(costs.values(), Cost())
    return whole.macs - costs["correlation"].macs + 2 * whole.norm_values + whole.pooled_values + whole.biased_values


def first_block(side: int) -> Cost:
    """The depthwise-separable block behind the stem, on a map of *side* cells."""
    width = STEM_WIDTH
    depthwise = _convolution(9, width, side) + _norm(width, side)
    return depthwise + _gate(width, _FIRST_SQUEEZED, side) + _convolution(width, width, side) + _norm(width, side)


def block_cost(block: Block, side: int) -> Cost:
    """An inverted residual block on a map of *side* cells."""
    hidden, after = block.hidden, _halved(side, block.stride)
    expansion = _convolution(block.inputs, hidden, side) + _norm(hidden, side)
    depthwise = _convolution(block.kernel**2, hidden, after) + _norm(hidden, after)
    projection = _convolution(hidden, block.outputs, after) + _norm(block.outputs, after)
    return expansion + depthwise + _gate(hidden, block.squeezed, after) + projection


def tower_layers(tower: Tower, side: int) -> list[Cost]:
    """Each layer of a tower on a map of *side* cells."""
    costs, inputs = [], _JOINED
    for kernel in tower.kernels:
        depthwise, pointwise = _convolution(kernel**2, inputs, side), _convolution(inputs, tower.width, side)
        costs.append(depthwise + pointwise + _norm(tower.width, side))
        inputs = tower.width
    return costs


def _convolution(weights: int, outputs: int, side: int, *, bias: bool = False) -> Cost:
    """A convolution with so many *weights* for each output channel."""
    values = outputs * side * side
    return Cost(weights * values, (weights + bias) * outputs, biased_values=values * bias)


def _norm(width: int, side: int) -> Cost:
    return Cost(parameters=2 * width, norm_values=width * side * side)


def _gate(width: int, inner: int, side: int) -> Cost:
    """A gate for each channel, computed from their means by two layers."""
    pool = Cost(pooled_values=width * (side * side + 1))
    return pool + _convolution(width, inner, 1, bias=True) + _convolution(inner, width, 1, bias=True)


def _halved(side: int, stride: int) -> int:
    return (side - 1) // stride + 1
