"""Every exit of every frame along the way of one of them: scores, overlaps, times. One run, then arithmetic."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Sequence, Tuple

import numpy as np

from runtime.cascade import require_exits
from runtime.decode import Candidate
from runtime.frames import Frame
from runtime.locator import Located
from runtime.matcher import Color, StageAnswer, StagedMatcher, StageTimes
from runtime.onnxruntime.matcher import OnnxMatcher
from runtime.policies.parse import parse
from runtime.policies.policy import ExitPolicy
from runtime.tracker import Tracker, moved
from sequences.sequence import Sequence as Video
from siamtrt import Array, ArtifactError, BoundingBox, Manifest, ModelCard, UsageError
from siamtrt.files import whole_file
from siamtrt.geometry import Place, Square, crop_scale
from siamtrt.progress import progress_bar

HINT = "python -m benchmarks exits table --help"
_COLUMNS = ("video", "frame", "scores", "overlaps", "stage_ns")


@dataclass(frozen=True)
class ExitTable:
    """What every exit said and found in N frames, the frames without truth left out.

    Attributes:
        engines: file name -> digest.
        checkpoint_sha256: of the weights that the engines were made of.
        sequences: name -> digest of the truth, in the order of ``video``.
        score_names: of the columns of ``scores``.
        macs: multiply-accumulates of each stage.
        video: N, index of the video.
        frame: N, index of the frame in it.
        scores: N x K x S float64; NaN what an exit does not say, as the last one.
        overlaps: N x K float64, of each exit's box with the truth, the crop being that of the policy's way.
        stage_ns: N x K int64, of the graphs of each stage.
        outside_ns: N int64, crop and decode of the last exit.
        policy: whose boxes decide where the next crop is cut; nothing for the last exit's.
    """

    engines: Mapping[str, str]
    checkpoint_sha256: str
    sequences: Mapping[str, str]
    score_names: Tuple[str, ...]
    macs: Tuple[int, ...]
    video: Array
    frame: Array
    scores: Array
    overlaps: Array
    stage_ns: Array
    outside_ns: Array
    policy: str = ""

    @property
    def names(self) -> list[str]:
        """The videos."""
        return list(self.sequences)

    @property
    def shares(self) -> Array:
        """The cost up to each exit relative to the last."""
        total: Array = np.cumsum(self.macs) / sum(self.macs)
        return total

    def score(self, name: str) -> Array:
        """One score of all exits but the last: N x (K - 1).

        Raises:
            UsageError: the exits have no such score.
        """
        if name not in self.score_names:
            raise UsageError(f"the exits have no score {name!r}", hint=f"they have: {', '.join(self.score_names)}")
        values: Array = self.scores[:, :-1, self.score_names.index(name)]
        return values

    def of(self, videos: Sequence[str]) -> Array:
        """The rows of *videos*, one after another, a video as often as it is named."""
        names = self.names
        return np.concatenate([np.flatnonzero(self.video == names.index(name)) for name in videos])

    def mean(self, values: Array, videos: Sequence[str]) -> float:
        """The mean over *videos* of the mean of their rows."""
        return float(np.mean([values[self.of([name])].mean() for name in videos]))

    def save(self, path: Path) -> None:
        """Write one file, whole or not at all."""
        about = {
            "engines": dict(self.engines),
            "checkpoint_sha256": self.checkpoint_sha256,
            "sequences": dict(self.sequences),
            "score_names": self.score_names,
            "macs": self.macs,
            "policy": self.policy,
        }
        columns = {name: getattr(self, name) for name in (*_COLUMNS, "outside_ns")}
        with whole_file(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, about=np.array(json.dumps(about)), **columns)

    @classmethod
    def load(cls, path: Path) -> ExitTable:
        """Read a table.

        Raises:
            ArtifactError: the file is absent or no table.
        """
        try:
            with np.load(str(path), allow_pickle=False) as stored:
                about: dict[str, Any] = json.loads(str(stored["about"]))
                columns = {name: stored[name] for name in (*_COLUMNS, "outside_ns")}
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise ArtifactError(f"{path} is no table of exits: {error}", hint=HINT) from error
        return cls(
            about["engines"],
            about.get("checkpoint_sha256", ""),  # tables of before have none
            about["sequences"],
            tuple(about["score_names"]),
            tuple(about["macs"]),
            policy=about.get("policy", ""),
            **columns,
        )


class EveryExit:
    """A locator that runs all stages and keeps the box of each exit; the box that is taken is that of a policy's exit.

    Args:
        matcher: owned from now on.
        policy: of one target; None for the last exit.

    Raises:
        UsageError: the model has no exits.
    """

    def __init__(self, matcher: StagedMatcher, policy: ExitPolicy | None = None) -> None:
        require_exits(matcher.card)
        self._matcher, self._policy = matcher, policy
        self.answers: list[StageAnswer] = []
        self.candidates: list[Candidate] = []

    @property
    def card(self) -> ModelCard:
        return self._matcher.card

    def remember(self, frame: Frame, square: Square, fill: Color) -> StageTimes:
        if self._policy:
            self._policy.reset()
        return self._matcher.remember(frame, square, fill)

    def locate(self, frame: Frame, square: Square, fill: Color, last_size: Tuple[float, float]) -> Located:
        times = self._matcher.begin(frame, square, fill, last_size)
        numbers = range(1, len(self.card.search.stages) + 1)
        self.answers = [answer for number in numbers for answer in self._matcher.advance(number)]
        started_ns = time.perf_counter_ns()
        self.candidates = [self._matcher.box(number) for number in numbers]
        decode_ns = (time.perf_counter_ns() - started_ns) // len(self.candidates)
        return Located(self.candidates[self._taken() - 1], {**times, "decode": decode_ns})

    def _taken(self) -> int:
        """The exit that the policy stops at, asked as if later stages had not run."""
        count = len(self.answers)
        if not self._policy:
            return count
        start = self._policy.start_depth()
        for number, answer in enumerate(self.answers[:-1], start=1):
            if self._policy.halts(number, answer.scores, 0) and number >= start:
                break
        else:
            number = count
        self._policy.observe(number, self.answers[number - 1].scores)
        return number

    def close(self) -> None:
        self._matcher.close()


def make_table(engines: Path, videos: Sequence[Video], threads: int | None, policy: str = "") -> ExitTable:
    """Track *videos*, and write down every exit of every frame with a truth.

    Args:
        engines: of a model with exits.
        videos: to follow.
        threads: of the CPU backend.
        policy: whose boxes are followed, in the words of a command line; nothing for the last exit's.

    Raises:
        UsageError: the model has no exits, or the policy is none of it.
        ArtifactError: the engines are not what their manifest says, or an image is damaged.
    """
    manifest, card = Manifest.load(engines, stage="engines"), ModelCard.load(engines)
    decides = parse(policy, card, manifest.files).policy if policy else None
    locator = EveryExit(OnnxMatcher(engines, card, threads=threads), decides)
    rows: list[Tuple[int, int, list[list[float]], list[float], list[int], int]] = []
    with Tracker(locator) as tracker:
        for index, video in enumerate(progress_bar(videos, desc="exits", unit="video")):
            rows += [(index, *row) for row in _rows(tracker, locator, video)]
    exits = card.search.stages[0].exit
    names = exits.scores if exits else ()
    video_column, frame, scores, overlaps, stage_ns, outside_ns = (np.array(column) for column in zip(*rows))
    return ExitTable(
        manifest.files,
        card.checkpoint_sha256,
        {video.name: video.digest for video in videos},
        names,
        card.stage_macs(card.search),
        video_column,
        frame,
        scores,
        overlaps,
        stage_ns,
        outside_ns,
        policy,
    )


def _rows(
    tracker: Tracker, locator: EveryExit, video: Video
) -> list[Tuple[int, list[list[float]], list[float], list[int], int]]:
    truth = dict(video.boxes())
    state, rows = tracker.start(video.frame(0), video.start_box(0)), []
    for index in range(1, len(video)):
        before, frame = state.place, video.frame(index)
        state = tracker.update(frame)
        if index not in truth:
            continue
        boxes = [_box(candidate, before, locator.card, frame) for candidate in locator.candidates]
        rows.append(
            (
                index,
                [
                    [answer.scores.get(name, math.nan) for name in locator.answers[0].scores]
                    for answer in locator.answers
                ],
                [box.iou(truth[index]) for box in boxes],
                [sum(answer.times.values()) for answer in locator.answers],
                sum(state.times.values()),
            )
        )
    return rows


def _box(candidate: Candidate, before: Place, card: ModelCard, frame: Array) -> BoundingBox:
    """The box that the tracker would have put out."""
    place = moved(before, candidate, crop_scale(before, card), card.tracker)
    return place.within(frame.shape, card.tracker.min_side_px).box
