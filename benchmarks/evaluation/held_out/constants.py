"""The tracker's three constants, searched at random around the best so far, closer and closer."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.evaluation.held_out.runs import ChosenTracker, run_videos, summary, worth
from sequences.sequence import Sequence
from siamtrt.card import TrackerConstants

RANGES: dict[str, tuple[float, float]] = {"penalty_k": (0.0, 0.4), "window_influence": (0.1, 0.6), "lr": (0.1, 0.9)}
_FIRST_SPREAD, _LAST_SPREAD = 0.5, 0.1  # of each range


def proposal(tried: list[dict[str, Any]], published: TrackerConstants, settings: int, seed: int) -> dict[str, float]:
    """The setting to try next: the published one first, then neighbours of the best, closer and closer."""
    if not tried:
        return {name: getattr(published, name) for name in RANGES}
    rng = np.random.default_rng([seed, len(tried)])
    best = max(tried, key=lambda entry: entry["worth"])["values"]
    spread = _FIRST_SPREAD + (_LAST_SPREAD - _FIRST_SPREAD) * len(tried) / settings
    values = {}
    for name, (low, high) in RANGES.items():
        value = best[name] + spread * (high - low) * float(rng.uniform(-1, 1))
        values[name] = round(min(max(value, low), high), 4)
    return values


def outcome(
    engines: Path,
    published: TrackerConstants,
    values: dict[str, float],
    groups: dict[str, list[Sequence]],
    threads: int | None,
) -> dict[str, Any]:
    """What comes of one setting: its worth, and the figures of each folder of videos."""
    tracker = ChosenTracker(engines, _with(published, values), threads)
    try:
        runs = run_videos(tracker, groups)
    finally:
        tracker.close()
    return {"worth": worth(runs), "groups": {group: asdict(summary(rows)) for group, rows in runs.items()}}


def _with(constants: TrackerConstants, values: dict[str, float]) -> TrackerConstants:
    return replace(
        constants,
        penalty_k=values["penalty_k"],
        window_influence=values["window_influence"],
        lr=values["lr"],
    )
