"""The boxes of a tracked video as ``boxes.txt`` and ``boxes.jsonl``, readable whatever interrupts it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import TextIO

from runtime.frames import Frame
from runtime.matcher import StageTimes
from runtime.tracker import TrackerState
from siamtrt.files import write_error

TEXT_NAME, LINES_NAME = "boxes.txt", "boxes.jsonl"
_UNREAD = "nan,nan,nan,nan"
_NETWORKS = ("target", "search", "xcorr", "network")
_TIMES = ("crop", "network", "search", "xcorr", "refit", "decode")


class LineSink:
    """A :class:`runtime.loop.Sink` of one text file a target, with a line a frame.

    The lines go to hidden partial files, which take their names when the sink is closed, after an error too; there
    are none before the first frame.

    Args:
        folders: one a target, made if they are not there; results of an earlier run are replaced at the end.
        name: of the file in each.
        line: what is written of a frame, from its index and the state; the state is None for an unreadable frame.

    Raises:
        ArtifactError: a folder cannot be written, or the disk is full; what was written before is kept.
    """

    def __init__(self, folders: Sequence[Path], name: str, line: Callable[[int, TrackerState | None], str]) -> None:
        self._paths, self._line, self._frames = [folder / name for folder in folders], line, 0
        self._streams: dict[Path, TextIO] = {}

    def add(self, frame: Frame | None, states: Sequence[TrackerState]) -> None:
        for path, state in zip(self._paths, states):
            self._write(path, self._line(self._frames, None if frame is None else state) + "\n")
        self._frames += 1

    def close(self) -> None:
        for path, stream in self._streams.items():
            with contextlib.suppress(OSError):  # a full disk was reported by add; the lines before are there
                stream.close()
            _partial(path).replace(path)

    def _write(self, path: Path, text: str) -> None:
        try:
            if path not in self._streams:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._streams[path] = _partial(path).open("w", encoding="utf-8")
            self._streams[path].write(text)
            self._streams[path].flush()
        except OSError as error:
            raise write_error(path.parent, error) from error


def as_text(_: int, state: TrackerState | None) -> str:
    """The box as ``x,y,width,height``, in the form of VOT's results."""
    return str(state.box) if state else _UNREAD


def as_json(frame: int, state: TrackerState | None) -> str:
    """The :func:`fields` of a frame as a line of JSON."""
    return json.dumps(fields(frame, state))


def fields(frame: int, state: TrackerState | None) -> dict[str, object]:
    """Frame, box, score, whether the target is lost (None for a model that cannot tell), and milliseconds a stage.

    The stage ``network`` is all graphs together. A model with exits adds the number of the exit that was taken. A frame
    that could not be read has no box, and the reason.
    """
    if state is None:
        return {"frame": frame, "box": None, "score": None, "reason": "unreadable frame"}
    box = [round(value, 4) for value in astuple(state.box)]
    taken = {"exit": state.exit.number} if state.exit else {}
    return {"frame": frame, "box": box, "score": state.score, "lost": state.lost, "times_ms": _ms(state.times), **taken}


def _ms(times: StageTimes) -> dict[str, float | None]:
    whole = {**times, "network": sum(times.get(stage, 0) for stage in _NETWORKS)}
    return {stage: whole[stage] / 1e6 if stage in whole else None for stage in _TIMES}


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")
