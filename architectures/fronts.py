"""The fronts that searches left behind, read together where they may be compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from architectures import archive
from architectures.search import BY_CHANCE, FORMAT, FRONT_NAME
from siamtrt import ArtifactError, UsageError
from siamtrt.files import sha256


@dataclass(frozen=True)
class Front:
    """What one search found.

    Attributes:
        folder: where it lies.
        digest: sha256 of its ``front.json``.
        strategy: how it drew networks.
        seed: of the draws.
        judged: how many networks it judged.
        conditions: what it has to share with others that it is compared with.
        rows: of each network on the front its string, price, and overlaps on both splits.
    """

    folder: Path
    digest: str
    strategy: str
    seed: int
    judged: int
    conditions: dict[str, Any]
    rows: list[dict[str, Any]]

    @classmethod
    def load(cls, folder: Path) -> Front:
        """Read the front of a search.

        Raises:
            ArtifactError: it is absent, damaged or of another version.
        """
        path = folder / FRONT_NAME
        document = FORMAT.load(path)
        try:
            run, judged, conditions = document["run"], document["judged"], document["conditions"]
            return cls(folder, sha256(path), run["strategy"], run["seed"], judged, conditions, document["front"])
        except KeyError as error:
            raise ArtifactError(f"{path} does not say its {error.args[0]}", hint="search anew") from error


def compared(searched: Iterable[Path], drawn: Iterable[Path]) -> tuple[list[Front], list[Front]]:
    """The fronts of searches, and of as long ones that drew by chance under the same conditions.

    Raises:
        UsageError: a run is on the wrong side or there twice, or the runs differ in length or conditions.
        ArtifactError: see :meth:`Front.load`.
    """
    sides = [Front.load(folder) for folder in searched], [Front.load(folder) for folder in drawn]
    runs = [run for side in sides for run in side]
    for side, by_chance in zip(sides, (False, True), strict=True):
        for run in side:
            if (run.strategy == BY_CHANCE) != by_chance:
                hint = f"--random takes searches of --strategy {BY_CHANCE}, --searched the others"
                raise UsageError(f"{run.folder} is a search by {run.strategy}", hint=hint)
    seen: set[tuple[str, int]] = set()
    for run in runs:
        if (run.strategy, run.seed) in seen:
            raise UsageError(
                f"{run.folder}: seed {run.seed} of {run.strategy} is there twice", hint="name each run once"
            )
        seen.add((run.strategy, run.seed))
    counts = {run.judged for run in runs}
    if len(counts) > 1:
        raise UsageError(f"the runs judged {sorted(counts)} networks", hint="compare runs of equal length")
    first = runs[0].conditions
    differing = [name for name in first if any(run.conditions.get(name) != first[name] for run in runs)]
    if differing:
        hint = "compare runs of the same weights, pairs, table and limits"
        raise UsageError(f"the runs differ in {', '.join(differing)}", hint=hint)
    return sides


def price(row: dict[str, Any]) -> float:
    """Of a network on a front: milliseconds by the table, millions of multiply-accumulates without one."""
    return archive.price(row["macs"], row["milliseconds"])
