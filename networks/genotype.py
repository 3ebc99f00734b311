"""Cells as values, as strings and as files: which operation joins which maps. No torch is needed.

A cell has two input maps, 0 and 1, and nodes 2, 3, ... Each node is the sum of two edges, an edge an operation on an
earlier map; the cell's output is its nodes side by side. The string ``cell:avg3@0,sep5@1|skip@1,sep3@2`` names the
operation and the source of each edge, node by node; ``cell32:...`` is one of another width than 48, and ``cell:-`` is
no cell at all: the two input maps themselves, side by side.

Source: Liu et al., DARTS, ICLR 2019, sec. 2.1; Marvasti-Zadeh et al., CHASE, arXiv 2107.03463, sec. 3.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from siamtrt import Array, ArtifactError, UsageError
from siamtrt.documents import Format

NONE = "none"
OPERATIONS = {  # our names and those of DARTS, in its order, which breaks ties
    NONE: "none",
    "max3": "max_pool_3x3",
    "avg3": "avg_pool_3x3",
    "skip": "skip_connect",
    "sep3": "sep_conv_3x3",
    "sep5": "sep_conv_5x5",
    "dil3": "dil_conv_3x3",
    "dil5": "dil_conv_5x5",
}
WEIGHT_FREE = (NONE, "max3", "avg3", "skip")
INPUTS, EDGES_OF_A_NODE, NODES, CHANNELS = 2, 2, 4, 48
FORMAT = Format("a genotype", schema=1, kind="cell", hint="python -m architectures cells derive")
_EMPTY = "-"
_FORM = re.compile(r"cell(\d*):(.+)")


class Edge(NamedTuple):
    """An operation, a key of ``OPERATIONS``, on the map *source*."""

    operation: str
    source: int

    def __str__(self) -> str:
        return f"{self.operation}@{self.source}"


@dataclass(frozen=True)
class Genotype:
    """A cell.

    Attributes:
        nodes: the two edges of each; no node for no cell.
        channels: width of every map inside.

    Raises:
        ValueError: an edge's operation is unknown or its source no earlier map, or a node has other than two edges,
            two of one source, or none that is an operation.
    """

    nodes: tuple[tuple[Edge, ...], ...]
    channels: int = CHANNELS

    def __post_init__(self) -> None:
        if self.channels < 1:
            raise ValueError(f"{self.channels} channels")
        for node, edges in enumerate(self.nodes, start=INPUTS):
            _require_node(node, edges)

    def __str__(self) -> str:
        nodes = "|".join(",".join(map(str, edges)) for edges in self.nodes)
        return f"cell{'' if self.channels == CHANNELS else self.channels}:{nodes or _EMPTY}"

    @property
    def edges(self) -> tuple[Edge, ...]:
        """All edges, node by node."""
        return tuple(edge for edges in self.nodes for edge in edges)

    @property
    def outputs(self) -> tuple[int, ...]:
        """The maps that stand side by side in the output."""
        return tuple(range(INPUTS, INPUTS + len(self.nodes))) or tuple(range(INPUTS))

    def save(self, path: Path) -> None:
        """Write a genotype file.

        Raises:
            ArtifactError: it cannot be written.
        """
        edges = [[OPERATIONS[edge.operation], edge.source] for edge in self.edges]
        document = {"nodes": len(self.nodes), "edges": edges, "concat": list(self.outputs), "channels": self.channels}
        FORMAT.save(path, document, indent=None)

    @classmethod
    def load(cls, path: Path) -> Genotype:
        """Read a genotype file.

        Raises:
            ArtifactError: it is absent, no genotype, or one of a cell that cannot be.
        """
        document = FORMAT.load(path)
        try:
            return _from_document(document)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{path} is not a genotype: {error}", hint=FORMAT.hint) from error


def parse(text: str) -> Genotype:
    """Read a genotype from its string.

    Raises:
        UsageError: it has another form, or means a cell that cannot be.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise UsageError(f"not a cell: {text!r}", hint=f"as in {PUBLISHED}")
    width, nodes = match.groups()
    try:
        parts = [] if nodes == _EMPTY else nodes.split("|")
        edges = tuple(tuple(_edge(edge) for edge in node.split(",")) for node in parts)
        return Genotype(edges, int(width or CHANNELS))
    except ValueError as error:
        raise UsageError(f"{text}: {error}", hint=f"as in {PUBLISHED}") from error


def read(text: str) -> Genotype:
    """The genotype that *text* means: the path of a genotype file, or a string."""
    return Genotype.load(Path(text)) if text.endswith(".json") else parse(text)


def sources(nodes: int = NODES) -> tuple[tuple[int, int], ...]:
    """Source and node of every edge that a cell of so many *nodes* may have, in the order of a search's numbers."""
    return tuple((source, node) for node in range(INPUTS, INPUTS + nodes) for source in range(node))


def strongest(alpha: Array, channels: int = CHANNELS, *, include_none: bool = False) -> Genotype:
    """The cell that a search has come to.

    For each node the two edges whose best operation has the largest share, and on each this operation; of equals the
    first edge, then the first operation.

    Args:
        alpha: edges x operations, before the softmax, in the order of :func:`sources` and of ``OPERATIONS``.
        channels: of the cell.
        include_none: an edge may be none, as in the published code; it takes its place and does nothing.

    Raises:
        ValueError: both edges of a node would be none.
    """
    shares, names = softmax(alpha), tuple(OPERATIONS)
    first = 0 if include_none else 1
    best = shares[:, first:].argmax(1) + first
    nodes: list[tuple[Edge, ...]] = []
    numbered = list(enumerate(sources(_node_count(len(shares)))))
    for node in sorted({node for _, (_, node) in numbered}):
        entering = [(number, source) for number, (source, end) in numbered if end == node]
        entering.sort(key=lambda edge: -shares[edge[0], best[edge[0]]])  # stable: of equals the lower edge
        nodes.append(tuple(Edge(names[best[number]], source) for number, source in entering[:EDGES_OF_A_NODE]))
    return Genotype(tuple(nodes), channels)


def softmax(alpha: Array) -> Array:
    """Shares of the operations of each edge; they sum to one."""
    raised: Array = np.exp(alpha - alpha.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True))


def _node_count(edges: int) -> int:
    return next(count for count in range(1, edges + 1) if len(sources(count)) == edges)


def _require_node(node: int, edges: Sequence[Edge]) -> None:
    if len(edges) != EDGES_OF_A_NODE:
        raise ValueError(f"node {node} has {len(edges)} edges, expected {EDGES_OF_A_NODE}")
    for edge in edges:
        if edge.operation not in OPERATIONS:
            raise ValueError(f"node {node}: unknown operation {edge.operation!r}, one of {', '.join(OPERATIONS)}")
        if not 0 <= edge.source < node:
            raise ValueError(f"node {node}: its source {edge.source} is no earlier map")
    if len({edge.source for edge in edges}) < len(edges):
        raise ValueError(f"node {node} takes its source {edges[0].source} twice")
    if all(edge.operation == NONE for edge in edges):
        raise ValueError(f"node {node} has no operation")


def _edge(text: str) -> Edge:
    operation, _, source = text.partition("@")
    if not source.isdecimal():
        raise ValueError(f"the edge {text!r} is no operation@source")
    return Edge(operation, int(source))


def _from_document(document: Mapping[str, Any]) -> Genotype:
    unknown = set(document) - {"nodes", "edges", "concat", "channels"}
    if unknown:
        raise ValueError(f"unknown field {min(unknown)!r}")
    count, edges = document["nodes"], [_stored_edge(edge) for edge in document["edges"]]
    if len(edges) != EDGES_OF_A_NODE * count:
        raise ValueError(f"{len(edges)} edges for {count} nodes, expected {EDGES_OF_A_NODE} a node")
    starts = range(0, len(edges), EDGES_OF_A_NODE)
    genotype = Genotype(tuple(tuple(edges[at : at + EDGES_OF_A_NODE]) for at in starts), document["channels"])
    if tuple(document["concat"]) != genotype.outputs:
        raise ValueError(f"concat is {document['concat']}, expected {list(genotype.outputs)}")
    return genotype


def _stored_edge(entry: Sequence[Any]) -> Edge:
    name, source = entry
    ours = {stored: own for own, stored in OPERATIONS.items()}
    if name not in ours:
        raise ValueError(f"unknown operation {name!r}")
    return Edge(ours[name], source)


PUBLISHED = Genotype(  # of CHASE, VisualTrackingVLL/CHASE
    (
        (Edge("avg3", 0), Edge("sep5", 1)),
        (Edge("skip", 1), Edge("sep3", 2)),
        (Edge("skip", 1), Edge("dil5", 0)),
        (Edge("skip", 1), Edge("skip", 4)),
    )
)
EMPTY = Genotype(())
