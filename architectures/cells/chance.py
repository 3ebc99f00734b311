"""Cells drawn by chance."""

from __future__ import annotations

import numpy as np

from networks.genotype import EDGES_OF_A_NODE, INPUTS, NODES, NONE, OPERATIONS, Edge, Genotype


def draw(seed: int, channels: int, nodes: int = NODES) -> Genotype:
    """A cell whose sources and operations are drawn uniformly from *seed*, none left out."""
    rng = np.random.default_rng(seed)
    names = [name for name in OPERATIONS if name != NONE]
    drawn = []
    for node in range(INPUTS, INPUTS + nodes):
        sources = sorted(map(int, rng.choice(node, EDGES_OF_A_NODE, replace=False)))
        drawn.append(tuple(Edge(names[rng.integers(len(names))], source) for source in sources))
    return Genotype(tuple(drawn), channels)
