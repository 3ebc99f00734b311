"""Weights to engines to a track of held-out videos, in one call: what studies of trainings judge by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.evaluation.held_out.runs import ChosenTracker, run_videos, summary, worth
from engines.build import BuildRequest, build
from export.write import write
from networks.checkpoint import load
from sequences.sequence import Sequence as Video
from siamtrt import Array, GraphPrecisions, UsageError, cli, documents
from siamtrt.files import read_json, sha256

TRACKED_NAME = "tracked.json"
_DRAWS = 10_000


def engines_of(rows: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """The digests of all engines, for the record of a study: name of a row and file -> digest."""
    return {f"{name}: {file}": digest for name, row in rows.items() for file, digest in row["engines"].items()}


def gains(rows: Sequence[dict[str, Any]], first: Sequence[dict[str, Any]]) -> dict[str, float]:
    """How much more success *rows* have than *first*: the difference of the means, and 95 % of it.

    The interval is by drawing videos within their folders, which count alike, as in ``success_auc``. It does not hold
    what another seed of the training would change: that is told by rows of several seeds alone.

    Args:
        rows: what :func:`tracked` returned of one way, seed by seed; a video's success is their mean.
        first: of the way that it is compared with.

    Returns:
        ``gain``, ``low`` and ``high``.
    """
    rng = np.random.default_rng(0)
    apart = [_successes(rows, name) - _successes(first, name) for name in rows[0]["videos"]]
    drawn = [rng.choice(values, (_DRAWS, len(values))).mean(1) for values in apart]
    low, high = np.percentile(np.mean(drawn, 0), (2.5, 97.5))
    return {"gain": float(np.mean([values.mean() for values in apart])), "low": float(low), "high": float(high)}


def shown(gain: Mapping[str, float]) -> str:
    """A gain of :func:`gains` in words."""
    return f"{gain['gain']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})"


def unseen(videos: dict[str, list[Video]], seen: Iterable[str]) -> dict[str, list[Video]]:
    """The *videos*, proved to be none of those *seen*.

    Raises:
        UsageError: one is.
    """
    names = {*seen}
    known = sorted(video.name for entries in videos.values() for video in entries if video.name in names)
    if known:
        raise UsageError(f"seen by training or search: {', '.join(known)}", hint="--videos with others")
    return videos


def tracked(
    model: str, weights: Path, out: Path, videos: dict[str, list[Video]], study: str, threads: int | None = 1
) -> dict[str, Any]:
    """Export *weights* into *out*, build FP32 engines of ONNX Runtime, and follow every video to its end.

    Args:
        model: a key of ``networks.models.MODELS``.
        weights: a checkpoint; a record of pruning beside it is kept in the card.
        out: a folder; what it holds of the same weights is taken as it is.
        videos: by folder, see ``benchmarks.evaluation.held_out.videos``.
        study: the command, for the manifests.
        threads: of ONNX Runtime.

    Returns:
        ``success_auc`` (mean of the folders), ``losses``, the figures of each folder and video, how many
        multiply-accumulates the search graph has, and the digests of the engines.
    """
    path, digest = out / TRACKED_NAME, sha256(weights)
    names = {folder: [video.name for video in entries] for folder, entries in videos.items()}
    if path.is_file():
        found = read_json(path)
        if (found["sha256"], found["names"]) == (digest, names):
            return found
    command = cli.command_line(study)
    onnx, folder = out / "onnx", out / "engines" / "onnxruntime-fp32"
    card = write(load(model, weights), model, onnx, checkpoint=weights, command=command)
    manifest = build(BuildRequest(onnx, folder, "onnxruntime", GraphPrecisions.parse("fp32"), command))
    tracker = ChosenTracker(folder, None, threads)
    try:
        runs = run_videos(tracker, videos)
    finally:
        tracker.close()
    groups = {name: summary(rows) for name, rows in runs.items()}
    document = {
        "sha256": digest,
        "names": names,
        "engines": manifest.files,
        "search_macs": card.graph(card.search.stages[-1].search).macs,
        "success_auc": worth(runs),
        "losses": sum(group.losses for group in groups.values()),
        "groups": {name: asdict(group) for name, group in groups.items()},
        "videos": {name: {video: row.success_auc for video, row in rows.items()} for name, rows in runs.items()},
    }
    documents.write(path, document)
    return document


def _successes(rows: Sequence[dict[str, Any]], group: str) -> Array:
    """Of each video of a folder, the mean over *rows*."""
    mean: Array = np.mean([[row["videos"][group][video] for video in rows[0]["videos"][group]] for row in rows], axis=0)
    return mean
