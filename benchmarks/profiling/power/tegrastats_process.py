"""``tegrastats`` as a process of its own, read line by line."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from typing import Sequence

from benchmarks.profiling.power.rails import Reading
from benchmarks.profiling.power.tegrastats import parse
from siamtrt import ProbeError

COMMAND = "tegrastats"
_SILENCE_S = 2.0
_LONGEST_LINE_BYTES = 1 << 16
_FAREWELL_S = 1.0


class Tegrastats:
    """Starts the program and reads what it prints; it sets the pace.

    It runs in a session of its own, so Ctrl-C reaches this program alone, which then stops it.

    Args:
        command: program and arguments; ``--interval`` in milliseconds is appended.
        interval_s: between two lines.
        silence_s: how long it may print nothing, beside the interval, before it is taken for hung.

    Raises:
        ProbeError: it cannot be run.
    """

    name = "tegrastats"
    pause_s = 0.0

    def __init__(
        self, command: Sequence[str] = (COMMAND,), interval_s: float = 0.1, silence_s: float = _SILENCE_S
    ) -> None:
        arguments: list[str] = [*command, "--interval", str(round(interval_s * 1000))]
        self._silence_s = interval_s + silence_s
        self._read = b""
        try:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
            )
        except OSError as error:
            raise ProbeError(f"cannot run {command[0]}: {error.strerror}", hint="it is a program of JetPack") from error

    def read(self) -> Reading:
        """Wait for the next line; of several that waited to be read only the last is new, so it alone is taken.

        Raises:
            ProbeError: the program ended or hangs, or the line shows no power rail.
        """
        deadline_s = time.monotonic() + self._silence_s
        while b"\n" not in self._read:
            self._read += self._chunk(deadline_s)
            if len(self._read) > _LONGEST_LINE_BYTES:
                raise ProbeError(f"tegrastats printed {len(self._read)} bytes without an end of line")
        lines, _, self._read = self._read.rpartition(b"\n")
        line = lines.rpartition(b"\n")[2]
        return parse(line.decode("ascii", "replace"))

    def close(self) -> None:
        """Stop the program, and kill it where it does not."""
        if self._process.stdout:
            self._process.stdout.close()
        # Under sudo it may not be signalled; it ends by itself at its next line, since nothing reads that.
        with contextlib.suppress(PermissionError):
            self._process.terminate()
            try:
                self._process.wait(_FAREWELL_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _chunk(self, deadline_s: float) -> bytes:
        if self._process.stdout is None:
            raise ProbeError("tegrastats has no output to read")
        descriptor = self._process.stdout.fileno()
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline_s - time.monotonic()))
        if not ready:
            raise ProbeError(f"tegrastats printed nothing for {self._silence_s:g} s", hint="run it by hand to see why")
        chunk = os.read(descriptor, 4096)
        if not chunk:
            raise ProbeError(f"tegrastats {self._end()}", hint="run it by hand to see why")
        return chunk

    def _end(self) -> str:
        try:
            return f"ended with code {self._process.wait(_FAREWELL_S)}"
        except subprocess.TimeoutExpired:
            return "closed its output"
