"""What was judged so far: one line of JSON a network, only ever added to, so that a search killed anywhere goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional, Tuple

from siamtrt import ArtifactError, documents

# Run-time annotations: lines are read back by them.


@dataclass(frozen=True)
class Judged:
    """A network and what was found of it.

    Attributes:
        architecture: canonical string.
        overlaps: of the best box with the truth, for each held-out pair, 0..1.
        macs: multiply-accumulates of search, correlation and head.
        parameters: trained numbers.
        milliseconds: of search and xcorr by the latency table; None without one.
        seconds: that the judgement took.
    """

    architecture: str
    overlaps: Tuple[float, ...]
    macs: int
    parameters: int
    milliseconds: Optional[float]
    seconds: float

    @property
    def overlap(self) -> float:
        """Mean over the pairs."""
        return sum(self.overlaps) / len(self.overlaps)

    @property
    def price(self) -> float:
        """What it costs, for a picture or an order: :func:`price`."""
        return price(self.macs, self.milliseconds)


class Archive:
    """The judgements of one supernet on one set of pairs.

    Args:
        path: of the file of lines; a last line that was cut off by a kill is dropped.

    Raises:
        ArtifactError: another line is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._judged: dict[str, Judged] = {}
        if not path.is_file():
            return
        lines = path.read_bytes().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        if len(whole) < len(lines):
            with path.open("r+b") as stream:
                stream.truncate(sum(map(len, whole)))
        for number, line in enumerate(whole, start=1):
            self._keep(_judged(line, f"{path}: line {number}"))

    def __len__(self) -> int:
        return len(self._judged)

    def __iter__(self) -> Iterator[Judged]:
        return iter(self._judged.values())

    def get(self, architecture: str) -> Judged | None:
        """What was found of *architecture*, a canonical string; None if it was not judged."""
        return self._judged.get(architecture)

    def add(self, judged: Judged) -> None:
        """Keep a judgement and write its line.

        Raises:
            ArtifactError: the file cannot be written.
        """
        self._keep(judged)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(asdict(judged), allow_nan=False) + "\n")
        except OSError as error:
            raise ArtifactError(f"cannot write {self._path}: {error}", hint="free some space, then rerun") from error

    def _keep(self, judged: Judged) -> None:
        self._judged.setdefault(judged.architecture, judged)


def _judged(line: bytes, place: str) -> Judged:
    try:
        return documents.build(Judged, json.loads(line))
    except (ValueError, TypeError, KeyError) as error:
        raise ArtifactError(f"{place} is damaged: {error}", hint="remove the line") from error


def price(macs: int, milliseconds: float | None) -> float:
    """What a network costs: milliseconds by the latency table, without one millions of multiply-accumulates."""
    return macs / 1e6 if milliseconds is None else milliseconds


def front(judged: list[Judged]) -> list[Judged]:
    """Those that no other one beats in both overlap and price, cheapest first.

    All were judged with one latency table, or all without one; of equals the first by its string stays.
    """
    ordered = sorted(judged, key=lambda one: (one.price, -one.overlap, one.architecture))
    kept: list[Judged] = []
    for one in ordered:
        if not kept or one.overlap > kept[-1].overlap:
            kept.append(one)
    return kept
