"""What a tracked video leaves behind: ``boxes.txt`` and ``boxes.jsonl``, readable whatever interrupts it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, Optional, TextIO, Type

from runtime.tracker import TrackerState
from siamtrt.files import write_error

TEXT_NAME, LINES_NAME = "boxes.txt", "boxes.jsonl"
_UNREAD = "nan,nan,nan,nan"


class ResultWriter:
    """Writes one line a frame to hidden partial files, which take their names when it is left, by an error too.

    Args:
        folder: made if it is not there; results of an earlier run are replaced at the end.

    Raises:
        ArtifactError: the folder cannot be written, or the disk is full; what was written before is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.frames = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._text = _partial(folder, TEXT_NAME).open("w", encoding="utf-8")
            self._lines = _partial(folder, LINES_NAME).open("w", encoding="utf-8")
        except OSError as error:
            raise write_error(folder, error) from error

    def __enter__(self) -> ResultWriter:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._finish(self._text, TEXT_NAME)
        self._finish(self._lines, LINES_NAME)

    def add(self, state: Optional[TrackerState]) -> None:
        """Append the state after a frame; None for a frame that could not be read."""
        entry: Dict[str, Any] = {"frame": self.frames, "box": None, "score": None, "reason": "unreadable frame"}
        if state is not None:
            entry = {
                "frame": self.frames,
                "box": [round(value, 4) for value in asdict(state.box).values()],
                "score": state.score,
                "lost": state.lost,
                "times_ms": {
                    name[:-3]: None if value is None else value / 1e6 for name, value in asdict(state.times).items()
                },
            }
        try:
            self._text.write(f"{state.box if state else _UNREAD}\n")
            self._lines.write(json.dumps(entry) + "\n")
            self._text.flush()
            self._lines.flush()
        except OSError as error:
            raise write_error(self._folder, error) from error
        self.frames += 1

    def _finish(self, stream: TextIO, name: str) -> None:
        with contextlib.suppress(OSError):  # a full disk was reported by add; the lines before are there
            stream.close()
        _partial(self._folder, name).replace(self._folder / name)


def _partial(folder: Path, name: str) -> Path:
    return folder / f".{name}.partial"
