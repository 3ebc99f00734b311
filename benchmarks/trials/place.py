"""Where the trials of a command run, as its options say: here, in processes, on a cluster."""

from __future__ import annotations

import argparse
import importlib.util
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Collection, Iterator

from benchmarks.trials.fleet.machine import here_alone
from benchmarks.trials.spread import Where, where
from siamtrt import MissingDependencyError, UsageError, cli


@dataclass(frozen=True)
class Place:
    """Where trials run.

    Attributes:
        many: for trials that others may run beside.
        alone: for trials whose times count; None where no machine is named to time on.
        undisturbed: *many* too gives each trial its machine.
    """

    many: Where[Any, Any]
    alone: Where[Any, Any] | None
    undisturbed: bool


def declare_place(parser: argparse.ArgumentParser, what: str, *, jobs: bool = True) -> None:
    """Declare the options; *what* runs, in the plural; *jobs*: plain processes are a choice."""
    if jobs:
        about = f"{what} run at a time, in processes; more than one spoils the times"
        parser.add_argument("--jobs", type=cli.count, default=1, help=about)
    parser.add_argument("--workers", type=cli.count, help=f"{what} run at a time, by a cluster of Dask on this machine")
    parser.add_argument("--cluster", help="address of a scheduler of Dask that runs: tcp://host:8786; docs/fleet.md")
    about = "resource of the workers to use, such as agx-xavier; each trial then has its machine alone"
    parser.add_argument("--resource", help=about)


@contextmanager
def opened(options: argparse.Namespace, out: Path, mounted: Collection[Path] = ()) -> Iterator[Place]:
    """The place that *options* choose.

    Args:
        options: declared by :func:`declare_place`.
        out: the folder of results.
        mounted: paths that are the same on every machine.

    Raises:
        UsageError: more than one place was chosen, or it is of no use.
        MissingDependencyError: Dask is not installed.
    """
    jobs = getattr(options, "jobs", 1)
    if (jobs > 1) + bool(options.workers) + bool(options.cluster) > 1:
        raise UsageError("more than one place to run at", hint="one of --jobs, --workers, --cluster")
    if options.resource and not options.cluster:
        raise UsageError("a resource chooses workers of a running cluster", hint="--cluster tcp://host:8786")
    if not (options.workers or options.cluster):
        yield Place(where(jobs), here_alone, undisturbed=jobs == 1)
        return
    if importlib.util.find_spec("distributed") is None:
        raise MissingDependencyError("Dask is not installed", hint="pip install -r requirements/fleet.txt")
    from benchmarks.trials.fleet import cluster

    if options.workers:
        with cluster.started(options.workers, out, mounted) as many:
            yield Place(many, here_alone, undisturbed=options.workers == 1)
        return
    with cluster.joined(options.cluster, options.resource, out, mounted) as many:
        yield Place(many, many if options.resource else None, undisturbed=bool(options.resource))
