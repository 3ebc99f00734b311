"""Work spread over processes so that Ctrl-C ends it at once: nothing is queued behind what runs."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Callable, Sequence, Set, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def run_jobs(work: Callable[[Item], None], items: Sequence[Item], jobs: int, name: str) -> None:
    """Call *work* on each item, *jobs* at a time, each in a process where that is more than one.

    Args:
        work: can be pickled.
        items: likewise.
        jobs: processes; with one, everything happens here.
        name: of the progress bar.

    Raises:
        BaseException: the first that *work* raised, once what was running beside it has ended.
    """
    if jobs <= 1:
        for item in items:
            work(item)
        return
    with tqdm(total=len(items), desc=name) as progress, ProcessPoolExecutor(jobs) as executor:
        running: Set[Future[None]] = set()
        for item in items:
            running.add(executor.submit(work, item))
            while len(running) >= jobs:
                running = _reap(running, progress)
        while running:
            running = _reap(running, progress)


def _reap(running: Set[Future[None]], progress: tqdm[None]) -> Set[Future[None]]:
    """Wait for one to end; the others."""
    done, rest = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
        progress.update()
    return rest
