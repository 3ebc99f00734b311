"""Search spaces: how a list of choices becomes an architecture.

A choice is a category, never a quantity: that kernel 3 lies between 1 and 5 in a list means nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from networks.lighttrack.architecture import CHOICES, TOWER_KERNELS, TOWER_LAYERS, TOWER_WIDTHS, Architecture, Tower

Genes = tuple[int, ...]

_DEPTHS = (2, 4, 4, 4)
_BLOCKS = sum(_DEPTHS)
_OUTPUTS = tuple((stage, block) for stage in (2, 3) for block in range(4))  # all at stride 16
_TOWER_SIZES = (len(TOWER_WIDTHS), len(TOWER_KERNELS), *[len(TOWER_KERNELS) + 1] * (TOWER_LAYERS - 1))


class Space(Protocol):
    """Networks that differ by choices.

    Attributes:
        sizes: how many categories each choice has.
    """

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many categories each choice has."""

    def architecture(self, genes: Genes) -> Architecture:
        """The network of these choices; different choices may give the same one."""


class WholeSpace:
    """The space of the paper at stride 16: 14 blocks, 8 outputs, and for each tower a width and 8 layers."""

    sizes = (*[len(CHOICES)] * _BLOCKS, len(_OUTPUTS), *_TOWER_SIZES, *_TOWER_SIZES)

    def architecture(self, genes: Genes) -> Architecture:
        """Skips are layers that do not exist."""
        stage, block = _OUTPUTS[genes[_BLOCKS]]
        starts = [sum(_DEPTHS[:index]) for index in range(len(_DEPTHS))]
        stages = [tuple(genes[start : start + depth]) for start, depth in zip(starts, _DEPTHS, strict=True)]
        towers = genes[_BLOCKS + 1 :]
        existing = (*stages[:stage], stages[stage][: block + 1])
        return Architecture(existing, _tower(towers[: 1 + TOWER_LAYERS]), _tower(towers[1 + TOWER_LAYERS :]))


@dataclass(frozen=True)
class ElasticSpace:
    """What a trained network can shrink to without new weights.

    A block may have a smaller kernel and less expansion, the last stage fewer blocks, a tower fewer layers and smaller
    kernels.

    Attributes:
        parent: the largest network.
        towers: the towers shrink too. They do not survive it without training, the backbone does.
        blocks: the blocks shrink too; the output may be that of an earlier block in any case.
    """

    parent: Architecture
    towers: bool = True
    blocks: bool = True

    @property
    def sizes(self) -> tuple[int, ...]:
        """Blocks, blocks of the last stage, then of each tower its depth and its kernels."""
        blocks = [len(smaller(digit)) for stage in self.parent.stages for digit in stage]
        blocks = blocks if self.blocks else [1] * len(blocks)
        towers = [
            size
            for tower in (self.parent.cls, self.parent.reg)
            for size in (len(tower.kernels), *map(len, _kernels(tower)))
        ]
        return (*blocks, len(self.parent.stages[-1]), *(towers if self.towers else [1] * len(towers)))

    def architecture(self, genes: Genes) -> Architecture:
        """Category 0 is the largest of each choice."""
        values = iter(genes)
        stages = [tuple(smaller(digit)[next(values)] for digit in stage) for stage in self.parent.stages]
        stages[-1] = stages[-1][: len(stages[-1]) - next(values)]
        cls, reg = (_shrunk(tower, values) for tower in (self.parent.cls, self.parent.reg))
        return Architecture(tuple(stages), cls, reg)


def smaller(digit: int) -> tuple[int, ...]:
    """The choices that fit into block choice *digit*, itself first."""
    kernel, expansion = CHOICES[digit]
    fitting = [other for other, (k, e) in enumerate(CHOICES) if k <= kernel and e <= expansion]
    return tuple(sorted(fitting, reverse=True))


def _kernels(tower: Tower) -> list[tuple[int, ...]]:
    """What the kernel of each layer may become, itself first."""
    return [tuple(size for size in sorted(TOWER_KERNELS, reverse=True) if size <= kernel) for kernel in tower.kernels]


def _shrunk(tower: Tower, values: Iterator[int]) -> Tower:
    depth = len(tower.kernels) - next(values)
    kernels = [sizes[next(values)] for sizes in _kernels(tower)]
    return Tower(tower.width, tuple(kernels[:depth]))


def _tower(genes: Sequence[int]) -> Tower:
    kernels = tuple(TOWER_KERNELS[gene] for gene in genes[1:] if gene < len(TOWER_KERNELS))
    return Tower(TOWER_WIDTHS[genes[0]], kernels)
