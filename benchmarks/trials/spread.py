"""Work on many items: here, one after another, or in processes of its own.

Another place, such as a cluster, is a function of the form :data:`Where` in a module of its own, imported by name.
What crosses to it is the work and the items; results that are large go to files.
"""

from __future__ import annotations

from typing import Callable, Iterator, Sequence, Tuple, TypeVar

from benchmarks.trials.processes import Processes
from siamtrt.progress import progress_bar

Item = TypeVar("Item")
Result = TypeVar("Result")

Where = Callable[[Callable[[Item], Result], Sequence[Item]], Iterator[Tuple[Item, Result]]]


def spread(
    work: Callable[[Item], Result], items: Sequence[Item], where: Where[Item, Result], name: str
) -> Iterator[tuple[Item, Result]]:
    """Call *work* on each item, and give each with its result as soon as it is finished, in any order.

    Work and items can be pickled, unless *where* is :func:`here`; *name* is that of the progress bar.

    Raises:
        PipelineError: what *work* raised; what ran beside it is stopped, and cleans up.
        InferenceError: a process died.
    """
    yield from progress_bar(where(work, items), total=len(items), desc=name, unit="job", leave=False)


def here(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
    """In this process, one after another, in the order of the items."""
    for item in items:
        yield item, work(item)


def where(jobs: int) -> Where[Item, Result]:
    """*jobs* items at a time: each in a process of its own where that is more than one."""
    return here if jobs == 1 else Processes(jobs)
