"""Work spread over processes, one an item, so that Ctrl-C ends it at once: no queue, no lock is shared to hang in."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection, wait
from typing import Any, Callable, List, Sequence, TypeVar

from tqdm import tqdm

from siamtrt import InferenceError, PipelineError

Item = TypeVar("Item")


def run_jobs(work: Callable[[Item], None], items: Sequence[Item], jobs: int, name: str) -> None:
    """Call *work* on each item, *jobs* at a time, each in a process of its own where that is more than one.

    Args:
        work: can be pickled.
        items: likewise.
        jobs: processes; with one, everything happens here.
        name: of the progress bar.

    Raises:
        PipelineError: what *work* raised; what ran beside it is stopped, and cleans up.
        InferenceError: a process died.
    """
    if jobs <= 1:
        for item in items:
            work(item)
        return
    running: List[_Job] = []
    with tqdm(total=len(items), desc=name) as progress:
        try:
            for item in items:
                while len(running) >= jobs:
                    _reap(running, progress)
                running.append(_Job.start(work, item))
            while running:
                _reap(running, progress)
        finally:
            for job in running:
                job.process.terminate()
            for job in running:
                job.process.join()


@dataclass(frozen=True)
class _Job:
    process: Process
    said: Connection

    @classmethod
    def start(cls, work: Callable[[Item], None], item: Item) -> _Job:
        said, tell = Pipe(duplex=False)
        process = Process(target=_child, args=(work, item, tell))
        process.start()
        tell.close()
        return cls(process, said)

    def require_well(self) -> None:
        """Raise what the ended process raised."""
        self.process.join()
        with suppress(EOFError):
            raise self.said.recv()
        if self.process.exitcode:
            raise InferenceError(
                f"a job ended with exit code {self.process.exitcode}",
                hint="its output stands above; fewer --jobs need less memory",
            )


def _reap(running: List[_Job], progress: Any) -> None:
    """Wait for one to end, and take those that have ended off the list."""
    ended = wait([job.process.sentinel for job in running])
    for job in [job for job in running if job.process.sentinel in ended]:
        running.remove(job)
        job.require_well()
        progress.update()


def _child(work: Callable[[Item], None], item: Item, tell: Connection) -> None:
    """Ctrl-C in a terminal reaches every process; here the parent alone decides, and its word is SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tqdm.set_lock(threading.RLock())  # its own is shared by all processes, and a stopped one might keep it
    try:
        work(item)
    except PipelineError as error:
        tell.send(error)
    except KeyboardInterrupt:
        raise SystemExit(1) from None
