"""Read frames on a thread while the last one is being tracked."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")

_END, _ITEM, _ERROR = "end", "item", "error"
_POLL_SECONDS = 0.1


class ReadAhead(Generic[Item]):
    """Iterate over *items*, produced on a thread of their own, at most *depth* ahead.

    An exception of the producer is raised in the consumer, after the items before it. Use it as a context manager:
    leaving it stops the thread, whether all items were taken or not.
    """

    def __init__(self, items: Iterable[Item], depth: int = 4) -> None:
        self._items = items
        self._queue: queue.Queue[tuple[str, object]] = queue.Queue(maxsize=depth)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._produce, name="read-ahead", daemon=True)

    def __enter__(self) -> Iterator[Item]:
        self._thread.start()
        return self._consume()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _produce(self) -> None:
        try:
            for item in self._items:
                if not self._put((_ITEM, item)):
                    return
            self._put((_END, None))
        except BaseException as error:  # noqa: BLE001  carried over to the consumer, not swallowed
            self._put((_ERROR, error))

    def _put(self, entry: tuple[str, object]) -> bool:
        """Wait for room; False once the consumer has gone."""
        while not self._stopped.is_set():
            try:
                self._queue.put(entry, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def _consume(self) -> Iterator[Item]:
        while True:
            kind, value = self._queue.get()
            if kind == _END:
                return
            if kind == _ERROR:
                raise value  # type: ignore[misc]
            yield value  # type: ignore[misc]
