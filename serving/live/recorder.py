"""Recordings of what is followed: ``recording-001.jsonl`` and so on, with a line a frame and target."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from runtime.results import fields
from runtime.tracker import TrackerState
from siamtrt.files import write_error

_NAME = re.compile(r"recording-[0-9]{3,9}\.jsonl")


class Recorder:
    """Writes at most one recording at a time, each into a file of its own that no other process has.

    Args:
        folder: of the recordings; made when the first one starts.

    Attributes:
        name: of the file that is being written; None between recordings.
        last: the newest file of this recorder; None before the first.
        lines: how many lines it has.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stream: TextIO | None = None
        self.last: str | None = None
        self.lines = 0

    @property
    def name(self) -> str | None:
        return self.last if self._stream else None

    def start(self) -> None:
        """Start a recording; one that runs goes on.

        Raises:
            ArtifactError: the folder cannot be written.
        """
        if self._stream:
            return
        number = 1
        while True:
            name = f"recording-{number:03}.jsonl"
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._stream = (self._folder / name).open("x", encoding="utf-8")
            except FileExistsError as error:
                if not self._folder.is_dir():
                    raise write_error(self._folder, error) from error
                number += 1
            except OSError as error:
                raise write_error(self._folder, error) from error
            else:
                self.last, self.lines = name, 0
                return

    def add(self, frame: int, targets: Iterable[tuple[int, TrackerState | None]]) -> None:
        """Write a line for each of *targets*, if a recording runs.

        Args:
            frame: its number in the source.
            targets: the number of each and its state, None for a frame that could not be read.

        Raises:
            ArtifactError: the disk is full; what was written before is kept, and the recording is over.
        """
        if not self._stream:
            return
        lines = [json.dumps({"target": number, **fields(frame, state)}) + "\n" for number, state in targets]
        try:
            self._stream.write("".join(lines))
            self._stream.flush()
        except OSError as error:
            self.stop()
            raise write_error(self._folder, error) from error
        self.lines += len(lines)

    def stop(self) -> None:
        """End the recording, if one runs."""
        stream, self._stream = self._stream, None
        if stream:
            with contextlib.suppress(OSError):  # a full disk was reported by add; the lines before are there
                stream.close()


def find(folder: Path, name: str) -> Path | None:
    """The recording of that name in *folder*; None where *name* is anything else, or a link."""
    path = folder / name
    return path if _NAME.fullmatch(name) and path.is_file() and not path.is_symlink() else None
