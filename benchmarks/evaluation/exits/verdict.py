"""Whether a run shows that looking at frames buys anything: what may be claimed, and in which words.

A claim needs a gain over the hull of fixed exits whose interval lies above zero at two costs or more, in closed loop
and in open loop, and more than twice the deviation of chance where chance of the same mix ran; and five videos, since
an interval over fewer is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

import numpy as np

COSTS = (0.3, 0.45, 0.6, 0.75, 0.9)
_NEEDED, _VIDEOS = 2, 5
_CHANCE = re.compile(r"random as (.*) #\d+")


@dataclass(frozen=True)
class OverChance:
    """A row beside random exits of its own mix.

    Attributes:
        gain: overlap above the mean of the seeds.
        deviation: of the seeds' overlaps.
        seeds: how many there are.
    """

    gain: float
    deviation: float
    seeds: int

    @property
    def is_shown(self) -> bool:
        """More than two policies that look at nothing lie apart."""
        return self.gain > 2 * self.deviation


@dataclass(frozen=True)
class Verdict:
    """What may be said.

    Attributes:
        closed_loop: of ``COSTS``, those at which a policy's gain over the hull is surely above zero.
        open_loop: the same on the table; empty without one.
        over_chance: row -> itself beside chance.
        helps: whether the claim may be made.
        words: the sentence.
    """

    closed_loop: list[float]
    open_loop: list[float]
    over_chance: dict[str, OverChance]
    helps: bool
    words: str


def chance_row(name: str, seed: int) -> str:
    """What the row of random exits in the mix of the row *name* is called."""
    return f"random as {name} #{seed}"


def verdict(rows: Mapping[str, Mapping[str, Any]], open_loop: Mapping[str, Any] | None, videos: int) -> Verdict:
    """Judge the rows of a report over so many *videos*, and the tuned points of its table if there is one."""
    chosen = {name: row for name, row in rows.items() if row["hull_gain_interval"] and not name.startswith("random")}
    closed = _gaining(list(chosen.values()))
    tuned = (open_loop or {}).get("tuned", {})
    opened = _gaining([point for judged in tuned.values() for point in judged["points"].values()])
    over_chance = _over_chance(rows)
    enough = min(len(closed), len(opened)) >= _NEEDED and videos >= _VIDEOS
    helps = enough and all(beside.is_shown for beside in over_chance.values())
    words = (
        f"the gain over the hull of fixed exits is surely above zero at {len(closed)} of {len(COSTS)} costs in closed "
        f"loop and at {len(opened)} in open loop; {_NEEDED} of each are needed"
    )
    if over_chance:
        shown = sum(beside.is_shown for beside in over_chance.values())
        words += f"; {shown} of {len(over_chance)} rows lie above chance by more than twice its deviation"
    if videos < _VIDEOS:
        words += f"; an interval over fewer than {_VIDEOS} videos says nothing"
    start = "looking at frames helps" if helps else "it is not shown that looking at frames helps"
    return Verdict(closed, opened, over_chance, helps, f"{start}: {words}")


def _gaining(points: Sequence[Mapping[str, Any]]) -> list[float]:
    """The costs, each the nearest of ``COSTS``, of the points whose interval lies above zero."""
    found = {
        min(COSTS, key=lambda cost: abs(cost - point["cost"])) for point in points if point["hull_gain_interval"][0] > 0
    }
    return sorted(found)


def _over_chance(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, OverChance]:
    overlaps: dict[str, list[float]] = {}
    for name, row in rows.items():
        found = _CHANCE.fullmatch(name)
        if found:
            overlaps.setdefault(found[1], []).append(row["overlap"])
    return {
        name: OverChance(rows[name]["overlap"] - float(np.mean(each)), float(np.std(each, ddof=1)), len(each))
        for name, each in overlaps.items()
        if len(each) > 1
    }
