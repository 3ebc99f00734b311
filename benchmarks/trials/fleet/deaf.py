"""Loaded by workers that a command starts: Ctrl-C in a terminal reaches them too, but the command decides."""

from __future__ import annotations

import signal

from distributed import Worker


def dask_setup(_: Worker) -> None:
    """Leave Ctrl-C to the command; Dask calls this in each worker as it starts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
