"""Policies in closed loop, side by side: on each frame all of them in turn, so that their times compare."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping

from runtime.cascade import CascadeLocator, require_exits
from runtime.locator import HostLocator
from runtime.onnxruntime.matcher import OnnxMatcher
from runtime.policies.parse import files_of, parse
from runtime.tracker import Tracker, TrackerState
from sequences.sequence import Sequence as Video
from siamtrt import Manifest, ModelCard
from siamtrt.files import sha256
from siamtrt.progress import progress_bar

WHOLE = "whole"


@dataclass
class Column:
    """What one row did in one video, an entry a frame after the first.

    Attributes:
        boxes: x, y, width, height, rounded as results are.
        overlaps: with the truth; None where there is none.
        exits: the exit that was taken; empty for the model as one search.
        scores: what each exit said that was reached.
        network_ns: all graphs.
        total_ns: the whole call.
    """

    boxes: list[str] = field(default_factory=list)
    overlaps: list[float | None] = field(default_factory=list)
    exits: list[int] = field(default_factory=list)
    scores: list[list[list[float]]] = field(default_factory=list)
    network_ns: list[int] = field(default_factory=list)
    total_ns: list[int] = field(default_factory=list)

    def add(self, state: TrackerState, overlap: float | None, total_ns: int) -> None:
        """Append a frame."""
        self.boxes.append(str(state.box))
        self.overlaps.append(overlap)
        self.network_ns.append(state.times["search"] + state.times["xcorr"])
        self.total_ns.append(total_ns)
        if state.exit:
            self.exits.append(state.exit.number)
            self.scores.append([list(scores.values()) for scores in state.exit.scores])


class SideBySide:
    """Trackers of one model that differ in who decides where they stop.

    Args:
        engines: folder of a model with exits.
        whole: folder of the same weights as one search, run in the row ``whole``; None for no such row.
        policies: name of a row -> the words of its policy.
        threads: of the CPU backend.

    Raises:
        UsageError: the model has no exits, or a policy is none.
        ArtifactError: engines are not what their manifest says, or thresholds are of other engines.
    """

    def __init__(self, engines: Path, whole: Path | None, policies: Mapping[str, str], threads: int | None) -> None:
        manifest, card = Manifest.load(engines, stage="engines"), ModelCard.load(engines)
        require_exits(card)
        self._staged = OnnxMatcher(engines, card, threads=threads)
        self._trackers = {}
        if whole:
            matcher = OnnxMatcher(whole, ModelCard.load(whole), threads=threads)
            self._trackers[WHOLE] = Tracker(HostLocator(matcher))
        for name, words in policies.items():
            decision = parse(words, card, manifest.files)
            locator = CascadeLocator(self._staged, decision.policy, audit_every=decision.audit_every)
            self._trackers[name] = Tracker(locator)

    @property
    def runs(self) -> dict[str, int]:
        """How often each graph with exits has run, over all rows."""
        return self._staged.runs

    def follow(self, video: Video) -> dict[str, Column]:
        """Run all rows through *video*; on each frame another one begins, so that none always comes first.

        Raises:
            ArtifactError: an image is damaged.
            InferenceError: the backend failed.
        """
        truth = dict(video.boxes())
        columns: defaultdict[str, Column] = defaultdict(Column)
        first, start = video.frame(0), video.start_box(0)
        names = list(self._trackers)
        for name in names:
            self._trackers[name].start(first, start)
        for index in progress_bar(range(1, len(video)), desc=video.name, unit="frame", leave=False):
            frame = video.frame(index)
            for name in names[index % len(names) :] + names[: index % len(names)]:
                started_ns = time.perf_counter_ns()
                state = self._trackers[name].update(frame)
                total_ns = time.perf_counter_ns() - started_ns
                overlap = state.box.iou(truth[index]) if index in truth else None
                columns[name].add(state, overlap, total_ns)
        return dict(columns)


def about(
    engines: Path, whole: Path | None, policies: Mapping[str, str], videos: list[Video], threads: int | None
) -> dict[str, Any]:
    """What decides about a run: it goes on only with the same.

    Raises:
        ArtifactError: engines are not what their manifest says, or a file that a policy names cannot be read.
    """
    card = ModelCard.load(engines)
    return {
        "model": card.name,
        "engines": Manifest.load(engines, stage="engines").files,
        "whole": Manifest.load(whole, stage="engines").files if whole else None,
        "macs": list(card.stage_macs(card.search)),
        "policies": dict(policies),
        "policy_files": {str(path): sha256(path) for words in policies.values() for _, path in files_of(words)},
        "threads": threads,
        "sequences": {video.name: video.digest for video in videos},
    }
