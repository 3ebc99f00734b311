"""The newest item of a source that does not wait: what nobody took in time is left out."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Newest(Generic[Item]):
    """Iterate over *items*, produced on a thread of their own; one that is not taken before the next comes is dropped.

    An exception of the producer is raised in the consumer, after the item before it. Use it as a context manager, like
    :class:`runtime.readahead.ReadAhead`; leaving it waits for the item that is being produced.

    Attributes:
        dropped: how many items were left out.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = items
        self._changed = threading.Condition()
        self._waiting: list[Item] = []
        self._over, self._stopped = False, False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._produce, name="newest", daemon=True)
        self.dropped = 0

    def __enter__(self) -> Iterator[Item]:
        self._thread.start()
        return self._consume()

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._thread.join()

    def _produce(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    self.dropped += len(self._waiting)
                    self._waiting = [item]
                    self._changed.notify()
                if self._stopped:
                    return
        except BaseException as error:  # noqa: BLE001  carried over to the consumer, not swallowed
            self._error = error
        finally:
            with self._changed:
                self._over = True
                self._changed.notify()

    def _consume(self) -> Iterator[Item]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._over)
                if not self._waiting:
                    break
                item = self._waiting.pop()
            yield item
        if self._error is not None:
            raise self._error
