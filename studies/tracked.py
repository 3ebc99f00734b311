"""Weights to engines to a track of held-out videos, in one call: what studies of trainings judge by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from architectures.cells.compare import interval
from benchmarks.evaluation.held_out.runs import ChosenTracker, run_videos, summary, worth
from engines.build import BuildRequest, build
from export.write import write
from networks.checkpoint import load
from sequences.sequence import Sequence as Video
from siamtrt import Array, GraphPrecisions, cli, documents
from siamtrt.files import read_json, sha256

_NAME = "tracked.json"


def engines_of(rows: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """The digests of all engines, for the record of a study: name of a row and file -> digest."""
    return {f"{name}: {file}": digest for name, row in rows.items() for file, digest in row["engines"].items()}


def gains(rows: Sequence[dict[str, Any]], first: Sequence[dict[str, Any]]) -> dict[str, float]:
    """How much more success *rows* have than *first*, video by video: the mean over all videos and 95 % of it.

    Args:
        rows: what :func:`tracked` returned of one way, seed by seed; seeds are averaged before videos are.
        first: of the way that it is compared with.
    """
    apart = _by_video(rows) - _by_video(first)
    low, high = interval(apart.tolist())
    return {"gain": float(apart.mean()), "low": low, "high": high}


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
    path, digest = out / _NAME, sha256(weights)
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


def _by_video(rows: Sequence[dict[str, Any]]) -> Array:
    names = [(folder, video) for folder, values in sorted(rows[0]["videos"].items()) for video in sorted(values)]
    mean: Array = np.mean([[row["videos"][folder][video] for folder, video in names] for row in rows], axis=0)
    return mean
