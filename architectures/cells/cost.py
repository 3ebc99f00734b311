"""What a cell costs, in closed form, and what its zero padding does to a template."""

from __future__ import annotations

import torch

from networks.cell import Cell
from networks.genotype import Edge, Genotype

_SEPARABLE = {"sep3": (3, 2), "sep5": (5, 2), "dil3": (3, 1), "dil5": (5, 1)}  # kernel, and how often
_SEARCH_CELLS, _TEMPLATE_CELLS, _MIDDLE_CELLS = 31, 15, 7


def parameters(genotype: Genotype) -> int:
    """Trained numbers, the norms' included."""
    norms = sum(_SEPARABLE[edge.operation][1] for edge in genotype.edges if edge.operation in _SEPARABLE)
    return sum(_weights(edge, genotype.channels) for edge in genotype.edges) + 2 * genotype.channels * norms


def macs(genotype: Genotype, side: int) -> int:
    """Multiply-accumulates of the convolutions on a map of *side* x *side*; pools and sums count nothing."""
    return side * side * sum(_weights(edge, genotype.channels) for edge in genotype.edges)


@torch.no_grad()
def border_difference(genotype: Genotype, seed: int = 0) -> float:
    """How far the middle of a template's feature is from the same place of a search feature.

    A template has its borders, which convolutions pad with zeros, where a search region goes on. Random weights and
    maps; the largest difference in the middle 7x7, relative to the range there.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        cell = Cell(genotype).eval()
        maps = torch.randn(2, 1, genotype.channels, _SEARCH_CELLS, _SEARCH_CELLS)
    cut = (_SEARCH_CELLS - _TEMPLATE_CELLS) // 2
    template = maps[..., cut : cut + _TEMPLATE_CELLS, cut : cut + _TEMPLATE_CELLS]
    whole, alone = (_middle(cell(*features)) for features in (maps, template))
    return float((whole - alone).abs().max() / (whole.max() - whole.min()))


def _middle(maps: torch.Tensor) -> torch.Tensor:
    start = (maps.shape[-1] - _MIDDLE_CELLS) // 2
    return maps[..., start : start + _MIDDLE_CELLS, start : start + _MIDDLE_CELLS]


def _weights(edge: Edge, channels: int) -> int:
    """Multiply-accumulates of the convolutions, depthwise and pointwise."""
    kernel, times = _SEPARABLE.get(edge.operation, (0, 0))
    return times * (kernel * kernel * channels + channels * channels)
