"""Ctrl-C that waits for the end of a step."""

from __future__ import annotations

import logging
import signal
import threading
from types import TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

log = logging.getLogger(__name__)


class Interruption:
    """Within the block, SIGINT and SIGTERM are noted instead of raised; outside of the main thread nothing changes.

    Attributes:
        wanted: whether one came.
    """

    def __init__(self) -> None:
        self.wanted = False

    def __enter__(self) -> Interruption:
        main = threading.current_thread() is threading.main_thread()
        self._before = {number: signal.signal(number, self._note) for number in _SIGNALS} if main else {}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, *_: object) -> None:
        if not self.wanted:
            log.info("stopping after this step")
        self.wanted = True
