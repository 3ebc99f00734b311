"""What found and other cells are worth: success on judged videos with intervals, beside what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siamtrt import ModelCard, UsageError
from siamtrt.card import SEARCH, XCORR
from siamtrt.files import read_json

_DRAWS, _LOW, _HIGH = 10_000, 2.5, 97.5


@dataclass(frozen=True)
class Compared:
    """One model.

    Attributes:
        name: as the judge calls it.
        architecture: of its card.
        successes: area under the success curve of each video, 0..1, in the order of the videos.
        macs: multiply-accumulates of a frame; None where the card does not say.
    """

    name: str
    architecture: str
    successes: tuple[float, ...]
    macs: int | None


def compare(judged: Path, engines: Sequence[Path]) -> list[Compared]:
    """Read what ``python -m benchmarks judge`` wrote of these *engines*.

    Raises:
        UsageError: one of them was not judged.
        ArtifactError: a file is absent or damaged.
    """
    models = read_json(judged).get("models", {})
    rows = []
    for folder in engines:
        name, card = "/".join(folder.resolve().parts[-3:]), ModelCard.load(folder)
        if name not in models:
            raise UsageError(f"{judged} does not judge {name}", hint=f"it judges {', '.join(models)}")
        videos = {
            f"{group}/{video}": row for group, rows in models[name]["videos"].items() for video, row in rows.items()
        }
        successes = tuple(videos[video]["success_auc"] for video in sorted(videos))
        rows.append(Compared(name, card.architecture or card.name, successes, _macs(card)))
    return rows


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """A 95 percent interval of the mean, by drawing videos."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(np.array(values), (_DRAWS, len(values))).mean(1)
    low, high = np.percentile(drawn, (_LOW, _HIGH))
    return float(low), float(high)


def table(rows: Sequence[Compared]) -> str:
    """A line a model, and how far its mean is from the first one's, video by video."""
    lines = [f"{'success, 95 % by videos':>26} {'beside the first':>26} {'MMAC':>7}  model"]
    for row in rows:
        apart = [one - first for one, first in zip(row.successes, rows[0].successes, strict=True)]
        macs = "-" if row.macs is None else f"{row.macs / 1e6:.1f}"
        lines.append(
            f"{_shown(row.successes, ''):>26} {_shown(apart, '+'):>26} {macs:>7}  {row.name} {row.architecture}"
        )
    return "\n".join(lines)


def _shown(values: Sequence[float], sign: str) -> str:
    low, high = interval(values)
    return f"{np.mean(values):{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


def _macs(card: ModelCard) -> int | None:
    counts = [graph.macs for graph in card.graphs if graph.role in (SEARCH, XCORR)]
    return None if None in counts else sum(count for count in counts if count)
