"""Track the rendered clip and show how well that went."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.evaluation.vot.annotations import marks
from runtime.annotate import GREEN, WHITE, YELLOW, VideoWriter, draw_box, label_of
from runtime.tracker import Tracker, TrackerState
from sequences.annotated import load_sequence
from siamtrt import Array, UsageError
from siamtrt.files import whole_file, write_text
from siamtrt.progress import progress_bar

VIDEO_NAME, SHEET_NAME, SUMMARY_NAME = "annotated.mp4", "contact_sheet.png", "summary.txt"
_TILES = (4, 3)  # columns, rows
_TILE_PX = (400, 300)
_LEGEND_PX = 36
_TEXT, _PLATE_BGR = 0.6, (40, 40, 40)
_CLIP_FPS = 30.0


@dataclass(frozen=True)
class Outcome:
    """How the clip went.

    Attributes:
        overlaps: intersection over union with the truth, one for each frame after the first.
        occluded: whether the object was partly hidden in these frames; empty where nobody says.
        fps: frames a second of the tracker alone: crop, networks, decode.
    """

    overlaps: list[float]
    occluded: list[bool]
    fps: float

    @property
    def summary(self) -> str:
        """A few lines for the terminal."""
        hidden = [overlap for overlap, occluded in zip(self.overlaps, self.occluded) if occluded]
        lowest = f"{min(hidden):.3f}" if hidden else "it never was" if self.occluded else "not annotated"
        lost = sum(overlap == 0 for overlap in self.overlaps)
        return (
            f"mean overlap with the truth  {np.mean(self.overlaps):.3f}\n"
            f"lowest while partly hidden   {lowest}\n"
            f"frames without any overlap   {lost} of {len(self.overlaps)}\n"
            f"tracker alone                {self.fps:.1f} FPS\n"
        )


def run(engines: Path, clip: Path, out: Path, *, threads: int | None = None, policy: str | None = None) -> Outcome:
    """Track the one sequence in *clip* and write video, summary and, last, the contact sheet to *out*.

    Where a *policy* decides at which exit a frame stops, the exit stands beside the score.

    Raises:
        UsageError: *clip* holds no sequence, or several.
        ArtifactError: the clip is not whole.
    """
    sequence = load_sequence(clip)
    if len(sequence) < 2:
        raise UsageError(f"{clip} has one frame, which leaves nothing to track", hint="a clip of two frames or more")
    occluded = [bool(mark) for mark in marks(sequence, "occlusion") or ()]
    overlaps: list[float] = []
    tiles: list[Array] = []
    shown = set(np.linspace(0, len(sequence) - 1, _TILES[0] * _TILES[1]).astype(int).tolist())
    spent_ns = 0
    with Tracker.open(engines, threads=threads, policy=policy) as tracker, VideoWriter(
        out / VIDEO_NAME, _CLIP_FPS
    ) as video:
        for index in progress_bar(range(len(sequence)), desc="demo", unit="frame", leave=False):
            frame, box = sequence.frame(index), sequence.start_box(index)
            started_ns = time.perf_counter_ns()
            state = tracker.update(frame) if index else tracker.start(frame, box)
            if index:
                spent_ns += time.perf_counter_ns() - started_ns
                overlaps.append(state.box.iou(box))
            draw_box(frame, box, WHITE)
            draw_box(frame, state.box, GREEN)
            if index in shown:
                tiles.append(_tile(frame, index, state))
            draw_box(frame, state.box, GREEN, label_of(state))
            video.write(frame)
    outcome = Outcome(overlaps, occluded[1:], len(overlaps) / (spent_ns / 1e9))
    files = f"annotated video              {out / VIDEO_NAME}\ncontact sheet                {out / SHEET_NAME}\n"
    write_text(out / SUMMARY_NAME, outcome.summary + files)
    _write_sheet(out / SHEET_NAME, tiles)
    return outcome


def _tile(frame: Array, index: int, state: TrackerState) -> Array:
    """The frame with its number, its exit if it has one, and the score in its corners, where they lie on no box."""
    tile: Array = cv2.resize(frame, _TILE_PX, interpolation=cv2.INTER_AREA)
    _write(tile, f"frame {index}", (8, 20), WHITE)
    if state.exit is not None:
        _write(tile, f"exit {state.exit.number} of {state.exit.count}", (8, _TILE_PX[1] - 12), YELLOW)
    if state.score is not None:
        _write(tile, f"score {state.score:.2f}", (_TILE_PX[0] - 116, 20), GREEN)
    return tile


def _legend(width: int) -> Array:
    """A line above the tiles: which box is which, and what the score is."""
    line = np.full((_LEGEND_PX, width, 3), _PLATE_BGR, np.uint8)
    _write(line, "white: the truth", (12, 24), WHITE)
    _write(line, "green: the tracker, with its score from 0 to 1", (180, 24), GREEN)
    return line


def _write(picture: Array, words: str, place: tuple[int, int], color: tuple[int, int, int]) -> None:
    """Words on a dark plate, since an outline of another thickness is of another width in OpenCV 5."""
    width = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, _TEXT, 1)[0][0]
    x, y = place
    cv2.rectangle(picture, (x - 5, y - 17), (x + width + 5, y + 6), _PLATE_BGR, cv2.FILLED)
    cv2.putText(picture, words, place, cv2.FONT_HERSHEY_SIMPLEX, _TEXT, color, 1, cv2.LINE_AA)


def _write_sheet(path: Path, tiles: list[Array]) -> None:
    blank = np.zeros_like(tiles[0])
    tiles = tiles + [blank] * (-len(tiles) % _TILES[0])
    rows: tuple[Array, ...] = tuple(np.hstack(tiles[at : at + _TILES[0]]) for at in range(0, len(tiles), _TILES[0]))
    with whole_file(path) as temporary:
        cv2.imwrite(str(temporary), np.vstack((_legend(rows[0].shape[1]), *rows)))
