"""Whose turn a machine is: accuracy is measured by many at a time, speed by one alone."""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, Sequence, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

LOCK = Path(tempfile.gettempdir()) / "siamtrt-machine.lock"

log = logging.getLogger(__name__)


@contextmanager
def turn(*, alone: bool, lock: Path = LOCK) -> Iterator[None]:
    """Wait until no trial that must be alone runs on this machine; where *alone*, until none at all does.

    The lock is the kernel's: a process that dies gives it back. Trials of another container see another ``/tmp``.
    """
    handle = _opened(lock)
    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    try:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for other trials on this machine")
            fcntl.flock(handle, kind)
        yield
    finally:
        os.close(handle)


def _opened(lock: Path) -> int:
    """A descriptor of *lock*. Another user's can be locked too, but Linux lets nobody create over it in ``/tmp``."""
    try:
        return os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return os.open(lock, os.O_RDONLY | os.O_CREAT, 0o644)


def here_alone(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
    """In this process, one after another, with no other trial on this machine."""
    for item in items:
        with turn(alone=True):
            result = work(item)
        yield item, result
