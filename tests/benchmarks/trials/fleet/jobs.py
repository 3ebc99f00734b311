"""Work that the tests of clusters send away; workers import it by name."""

from __future__ import annotations

import os
import sys
import time
import uuid
from pathlib import Path

from benchmarks.trials import child
from siamtrt import UsageError
from siamtrt.files import write_text


def note(number, folder):
    """Leave a file, and give more than a pipe holds; 3 fails."""
    if number == 3:
        raise UsageError("three is not done", hint="leave it out")
    write_text(folder / str(number), "")
    return "x" * number * 100_000


def die(number):
    os._exit(9)


def attempt(number, out, seen):
    """Take a moment; each attempt is written down in a folder, a text as it grows and is no input."""
    write_text(Path(seen) / f"{number}.{os.getpid()}.{uuid.uuid4().hex}", "")
    time.sleep(0.4)
    write_text(out / "results" / f"{number}.txt", f"{number}\n")
    return number


def copy(number, source, out):
    """Read an input, write a result and its notes, and say where the input was."""
    write_text(out / "times" / f"{number}.txt", "a note")
    write_text(out / "results" / f"{number}.txt", (source / "input.txt").read_text())
    return str(source)


if __name__ == "__main__":  # a parent to be killed
    child.run(sys.argv[2:], Path(sys.argv[1]))
