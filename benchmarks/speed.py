"""``python -m benchmarks speed``: frame rates and percentiles from the times that ``vot`` kept.

The window is the tracker's own call: crop, networks, refit, decode; reading and decoding images lies outside. Skipped
frames are never counted. Starts (with their refit) and updates are told apart, and the first updates of a run are its
warm-up.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Dict, List, Optional

import numpy as np

from benchmarks.vot.results import STARTED, read, result_path
from siamtrt import Array, UsageError
from siamtrt.files import read_json, write_text

_WARM_UP = 10
_UNSTABLE_STDEV_SHARE = 0.1
_PERCENTILES = (50, 90, 95, 99)


@dataclass(frozen=True)
class Speed:
    """Of a tracker.

    Attributes:
        fps_pooled: tracked frames over their time, starts included.
        fps_mean_of_videos: plain mean of each video's rate, as a published thesis computes it.
        update_ms: percentiles ``p50 p90 p95 p99`` and ``max`` of an update, after the warm-up.
        start_ms: median of a start.
        frames: how many were tracked.
        warm_up_updates: how many updates the percentiles leave out.
        unstable: what makes the figures doubtful; None if nothing does.
    """

    fps_pooled: float
    fps_mean_of_videos: float
    update_ms: Dict[str, float]
    start_ms: float
    frames: int
    warm_up_updates: int
    unstable: Optional[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--run", type=Path, required=True, help="the --out folder of python -m benchmarks vot")
    parser.add_argument("--tracker", required=True, help="name of the results")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")


def main(options: argparse.Namespace) -> None:
    """Summarise and print."""
    found = summarise(options.run, options.tracker)
    if options.out:
        write_text(options.out, json.dumps(asdict(found), indent=1) + "\n")
    for name, value in asdict(found).items():
        print(f"{name:20} {value}")  # noqa: T201


def summarise(run: Path, tracker: str) -> Speed:
    """Read the times of every sequence of *tracker*.

    Raises:
        UsageError: there are none, or no frame was tracked after the warm-up.
        ArtifactError: a file is damaged.
    """
    files = sorted((run / "times" / tracker).glob("*.json"))
    if not files:
        raise UsageError(f"{run} holds no times of {tracker}", hint="python -m benchmarks vot writes them")
    starts_ns: List[int] = []
    updates_ns: List[int] = []
    rates: List[float] = []
    for path in files:
        codes = read(result_path(run / "results", tracker, path.stem)).codes
        times = [(code, time) for code, time in zip(codes, read_json(path)["frames"]) if time is not None]
        starts_ns += [time for code, time in times if code == STARTED]
        updates_ns += [time for code, time in times if code != STARTED]
        rates.append(len(times) / (sum(time for _, time in times) / 1e9))
    steady = np.array(updates_ns[_WARM_UP:]) / 1e6
    if not len(steady):
        raise UsageError(f"{tracker} tracked too few frames to tell its speed", hint=f"more than {_WARM_UP}")
    total_s = (sum(starts_ns) + sum(updates_ns)) / 1e9
    percentiles = {f"p{share}": float(np.percentile(steady, share)) for share in _PERCENTILES}
    return Speed(
        fps_pooled=(len(starts_ns) + len(updates_ns)) / total_s,
        fps_mean_of_videos=float(np.mean(rates)),
        update_ms={**percentiles, "max": float(steady.max())},
        start_ms=float(np.median(starts_ns)) / 1e6,
        frames=len(starts_ns) + len(updates_ns),
        warm_up_updates=_WARM_UP,
        unstable=_doubt(steady),
    )


def _doubt(steady_ms: Array) -> Optional[str]:
    share = float(steady_ms.std() / steady_ms.mean())
    if share < _UNSTABLE_STDEV_SHARE:
        return None
    return f"the standard deviation is {share:.0%} of the mean: is the machine busy, is its clock fixed?"
