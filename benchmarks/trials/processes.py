"""Processes, one an item, so that Ctrl-C ends them at once: no queue, no lock is shared to hang in."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection, wait
from typing import Any, Callable, Iterator, Sequence, TypeVar

from tqdm import tqdm

from siamtrt import InferenceError, PipelineError

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Processes:
    """A place to spread work: at most *jobs* processes at a time."""

    jobs: int

    def __call__(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
        """See :func:`benchmarks.trials.spread.spread`."""
        running: list[_Job] = []
        try:
            for item in items:
                while len(running) >= self.jobs:
                    yield from _ended(running)
                running.append(_Job.start(work, item))
            while running:
                yield from _ended(running)
        finally:
            for job in running:
                job.process.terminate()
            for job in running:
                job.process.join()


@dataclass(frozen=True, eq=False)
class _Job:
    item: Any
    process: Process
    answer: Connection

    @classmethod
    def start(cls, work: Callable[[Item], Result], item: Item) -> _Job:
        answer, own = Pipe(duplex=False)
        process = Process(target=_child, args=(work, item, own))
        process.start()
        own.close()
        return cls(item, process, answer)

    def result(self) -> Any:
        """What the work returned; raises what it raised."""
        try:
            outcome = self.answer.recv()
        except EOFError:
            outcome = None
        self.process.join()
        if isinstance(outcome, PipelineError):
            raise outcome
        if outcome is None or self.process.exitcode:
            raise InferenceError(
                f"a job ended with exit code {self.process.exitcode}",
                hint="its output stands above; fewer --jobs need less memory",
            )
        return outcome[0]


def _ended(running: list[_Job]) -> Iterator[tuple[Any, Any]]:
    """Wait for one to answer or to die, and take those that did off the list."""
    answered = wait([job.answer for job in running])
    for job in [job for job in running if job.answer in answered]:
        running.remove(job)
        yield job.item, job.result()


def _child(work: Callable[[Item], Result], item: Item, answer: Connection) -> None:
    """Ctrl-C in a terminal reaches every process; the parent alone decides, and sends SIGTERM to end this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tqdm.set_lock(threading.RLock())  # its own is shared by all processes, and a stopped one might keep it
    try:
        answer.send((work(item),))
    except PipelineError as error:
        answer.send(error)
    except KeyboardInterrupt:
        raise SystemExit(1) from None
