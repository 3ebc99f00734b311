"""``python -m benchmarks constants``: search the tracker's three constants on held-out videos.

The settings are drawn at random around the best so far, closer and closer, so that the search may stop at any time;
every setting and what came of it is written down, and a search that is run again goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np

from benchmarks.evaluation.held_out.command import add_video_arguments
from benchmarks.evaluation.held_out.runs import ChosenFollower, run_videos, summary, worth
from benchmarks.evaluation.held_out.videos import load_videos
from sequences.sequence import Sequence
from siamtrt import Manifest, ModelCard, UsageError, cli
from siamtrt.card import TrackerConstants
from siamtrt.files import read_json, write_text

RANGES: Dict[str, Tuple[float, float]] = {"penalty_k": (0.0, 0.4), "window_influence": (0.1, 0.6), "lr": (0.1, 0.9)}
_FIRST_SPREAD, _LAST_SPREAD = 0.5, 0.1  # of each range

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--engines", type=Path, required=True, help="a folder written by python -m engines")
    add_video_arguments(parser)
    parser.add_argument("--settings", type=cli.count, default=40, help="how many are tried in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="a JSON file with every setting; rerun to go on")


def main(options: argparse.Namespace) -> None:
    """Try settings, write each, and print the best."""
    groups = load_videos(options.sequences, options.only)
    published = ModelCard.load(options.engines).tracker
    document = _begun(options.out, Manifest.load(options.engines, stage="engines").files, options.seed)
    tried: List[Dict[str, Any]] = document["tried"]
    while len(tried) < options.settings:
        values = proposal(tried, published, options.settings, options.seed)
        tried.append({"values": values, **_outcome(options.engines, published, values, groups, options.threads)})
        write_text(options.out, json.dumps(document, indent=1) + "\n")
        log.info("%d of %d: %s, %.4f", len(tried), options.settings, _text(values), tried[-1]["worth"])
    for entry in sorted(tried, key=lambda entry: -entry["worth"])[:5]:
        print(f"{entry['worth']:.4f}  {_text(entry['values'])}")  # noqa: T201


def proposal(tried: List[Dict[str, Any]], published: TrackerConstants, settings: int, seed: int) -> Dict[str, float]:
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


def _outcome(
    engines: Path,
    published: TrackerConstants,
    values: Dict[str, float],
    groups: Dict[str, List[Sequence]],
    threads: int,
) -> Dict[str, Any]:
    follower = ChosenFollower(engines, _with(published, values), threads)
    try:
        runs = run_videos(follower, groups)
    finally:
        follower.close()
    return {"worth": worth(runs), "groups": {group: asdict(summary(rows)) for group, rows in runs.items()}}


def _with(constants: TrackerConstants, values: Dict[str, float]) -> TrackerConstants:
    return replace(
        constants,
        penalty_k=values["penalty_k"],
        window_influence=values["window_influence"],
        lr=values["lr"],
    )


def _begun(path: Path, engines: Dict[str, str], seed: int) -> Dict[str, Any]:
    """What an earlier search has tried, or an empty list.

    Raises:
        UsageError: the file is of other engines or another seed.
    """
    if not path.is_file():
        return {"engines": engines, "seed": seed, "tried": []}
    document = read_json(path)
    if (document.get("engines"), document.get("seed")) != (engines, seed):
        raise UsageError(f"{path} is a search of other engines or another seed", hint="choose another --out")
    return document


def _text(values: Dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())
