"""A cell as a torch module: one that is known, and the mixture of all that a search is about.

Source: Liu et al., DARTS, ICLR 2019, sec. 2.2 and A.1; Marvasti-Zadeh et al., CHASE, arXiv 2107.03463. As in the code
of the latter a convolution is followed by norm and leaky ReLU, and only the search's pools have norms.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from networks.genotype import INPUTS, NODES, NONE, OPERATIONS, Genotype, sources

_SLOPE = 0.01
_FIRST_SPREAD = 1e-3  # of the numbers a search starts from
DROPPED = ("skip", "all")


class Cell(nn.Module):
    """The cell of a genotype, whose string is kept with the weights: operations without weights leave no other trace.

    Attributes:
        width: channels of the output.
    """

    architecture: Tensor

    def __init__(self, genotype: Genotype) -> None:
        super().__init__()
        self.width = genotype.channels * len(genotype.outputs)
        self._genotype = genotype
        self.edges = nn.ModuleList(operation(edge.operation, genotype.channels) for edge in genotype.edges)
        self.register_buffer("architecture", torch.tensor(list(str(genotype).encode()), dtype=torch.uint8))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two maps BxCxHxW to one of BxNCxHxW."""
        maps, edges = [first, second], iter(self.edges)
        for node in self._genotype.nodes:
            terms = [(edge, layer) for edge, layer in zip(node, edges)]
            maps.append(_sum([layer(maps[edge.source]) for edge, layer in terms if edge.operation != NONE]))
        return torch.cat([maps[number] for number in self._genotype.outputs], 1)


class SearchCell(nn.Module):
    """Every cell at once: each edge is the mean of all operations, weighted by the softmax of its row of ``alpha``.

    Args:
        channels: width of every map inside.
        dropped: operations whose output is thinned out in training: ``skip`` or ``all``.
        nodes: how many.

    Attributes:
        alpha: edges x operations, in the order of ``genotype.sources`` and ``OPERATIONS``.
        chosen: weights (edges x operations) that take the place of the softmax; None in the search itself.
        width: channels of the output.
    """

    def __init__(self, channels: int, dropped: str = "skip", nodes: int = NODES) -> None:
        super().__init__()
        self.width, self.channels, self.chosen = channels * nodes, channels, None
        self._ends = sources(nodes)
        self.edges = nn.ModuleList(_mixed(channels, dropped) for _ in self._ends)
        self.alpha = nn.Parameter(_FIRST_SPREAD * torch.randn(len(self._ends), len(OPERATIONS)))

    chosen: Tensor | None

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two maps BxCxHxW to one of BxNCxHxW."""
        shares = self.alpha.softmax(1) if self.chosen is None else self.chosen
        maps = [first, second]
        terms: list[Tensor] = []
        for number, (source, node) in enumerate(self._ends):
            terms.append(self._mean(number, maps[source], shares[number]))
            if source == node - 1:  # the last edge of its node
                maps.append(_sum(terms))
                terms = []
        return torch.cat(maps[INPUTS:], 1)

    def set_dropout(self, rate: float) -> None:
        """Thin out by *rate*, 0 to 1, from now on."""
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.p = rate

    def one_cell(self, genotype: Genotype) -> Tensor:
        """What makes ``chosen`` the cell of *genotype*, with the weights of this search."""
        weights, names = torch.zeros_like(self.alpha), tuple(OPERATIONS)
        for node, edges in enumerate(genotype.nodes, start=INPUTS):
            for edge in edges:
                weights[self._ends.index((edge.source, node)), names.index(edge.operation)] = 1
        return weights.detach()

    def _mean(self, number: int, x: Tensor, shares: Tensor) -> Tensor:
        """The edge *number*; an operation that a chosen cell lacks is not computed."""
        layers = self.edges[number]
        assert isinstance(layers, nn.ModuleDict)
        wanted = [at for at, name in enumerate(OPERATIONS) if name != NONE]
        if self.chosen is not None:
            wanted = [at for at in wanted if float(shares[at])]
        names = tuple(OPERATIONS)
        return _sum([shares[at] * layers[names[at]](x) for at in wanted]) if wanted else torch.zeros_like(x)


def operation(name: str, channels: int) -> nn.Module:
    """The operation called *name*, a key of ``OPERATIONS``, on a map of so many *channels*, which it keeps."""
    if name in ("sep3", "sep5"):
        kernel = int(name[-1])
        return nn.Sequential(*_convolution(channels, kernel, 1), *_convolution(channels, kernel, 1))
    if name in ("dil3", "dil5"):
        return nn.Sequential(*_convolution(channels, int(name[-1]), 2))
    if name == "max3":
        return nn.MaxPool2d(3, 1, 1)
    if name == "avg3":
        return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    return nn.Identity()  # a skip; none is left out by the cell


def _convolution(channels: int, kernel: int, dilation: int) -> list[nn.Module]:
    reach = dilation * (kernel // 2)
    return [
        nn.Conv2d(channels, channels, kernel, 1, reach, dilation, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.LeakyReLU(_SLOPE),
    ]


def _mixed(channels: int, dropped: str) -> nn.ModuleDict:
    """Every operation of an edge but none."""
    layers: dict[str, nn.Module] = {}
    for name in OPERATIONS:
        if name == NONE:
            continue
        parts = [operation(name, channels)]
        if name in ("max3", "avg3"):
            parts.append(nn.BatchNorm2d(channels, affine=False))
        if dropped in (name, "all"):
            parts.append(nn.Dropout(0.0))
        layers[name] = nn.Sequential(*parts)
    return nn.ModuleDict(layers)


def _sum(terms: list[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
