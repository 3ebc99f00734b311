"""A cluster of Dask as a place for trials: one started here, or one that runs already.

A worker that dies loses the trial it was at, which another one does again. A scheduler that dies ends the command; what
was finished is in its files, and the command run again does the rest.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Collection, Iterator, Sequence

from distributed import Client, Future, KilledWorker, LocalCluster, Security, TimeoutError, as_completed, rpc
from distributed.comm import CommClosedError

from benchmarks.trials.fleet import deaf, files
from benchmarks.trials.fleet.carry import Answer, Mark, carry_out, lacking, receive
from benchmarks.trials.fleet.parcel import Parcel
from benchmarks.trials.fleet.side import Side, minor
from siamtrt import InferenceError, UsageError
from siamtrt.files import write_text

_PATIENCE_S = 30
_SENDS = 5

log = logging.getLogger(__name__)


@contextmanager
def started(workers: int, out: Path, mounted: Collection[Path] = ()) -> Iterator[Cluster]:
    """A cluster of as many processes on this machine, ended behind the block.

    Args:
        workers: how many.
        out: the folder of results.
        mounted: see :meth:`benchmarks.trials.fleet.parcel.Parcel.pack`.
    """
    _quieten()
    local = LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        silence_logs=_SILENT,
        preload=[deaf.__name__],
    )
    with local, Client(local) as client:
        yield from _opened(client, None, out, mounted)


@contextmanager
def joined(address: str, resource: str | None, out: Path, mounted: Collection[Path] = ()) -> Iterator[Cluster]:
    """A cluster that runs, and goes on running behind the block.

    Args:
        address: of its scheduler: ``tcp://host:8786``, or ``dask://host:8786``.
        resource: that its workers for these trials were started with; each trial then has its machine alone.
        out: the folder of results.
        mounted: see :meth:`benchmarks.trials.fleet.parcel.Parcel.pack`.

    Raises:
        UsageError: nobody answers there, or the workers are of no use.
    """
    _quieten()
    scheduler = address.replace("dask://", "tcp://", 1)
    try:
        _require_same("the scheduler", asyncio.run(_versions(scheduler)))  # another one may not understand a client
        client = Client(scheduler, timeout=_PATIENCE_S)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(f"no cluster at {address}: {error}", hint="python -m dask scheduler; docs/fleet.md") from error
    with client:
        _require_useful(client, resource)
        yield from _opened(client, resource, out, mounted)


class Cluster:
    """A place to spread work; see :data:`benchmarks.trials.spread.Where`."""

    def __init__(self, client: Client, resource: str | None, mark: Mark, mounted: Collection[Path]) -> None:
        self._client, self._resource, self._mark, self._mounted = client, resource, mark, mounted
        self._side = Side.here()

    def __call__(self, work: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        """See :func:`benchmarks.trials.spread.spread`."""
        running: dict[str, tuple[Any, Parcel, int]] = {}
        futures = as_completed()
        try:
            for item in items:
                parcel = Parcel.pack(work, item, self._mark.path.parent, self._mounted)
                future = self._submit(parcel, None)
                running[future.key] = (item, parcel, 0)
                futures.add(future)
            for future in futures:
                item, parcel, sends = running.pop(future.key)
                answer = self._answer(future)
                if answer.lacking:
                    self._send(parcel, answer.worker, sends)
                    again = self._submit(parcel, answer.worker)
                    running[again.key] = (item, parcel, sends + 1)
                    futures.add(again)
                    continue
                files.keep(parcel.out, answer.files)
                yield item, answer.result
        finally:
            self._client.cancel(list(running), force=True)

    def _submit(self, parcel: Parcel, worker: str | None) -> Future:
        """Send it to *worker* if that is still there, else to any."""
        return self._client.submit(
            carry_out,
            parcel,
            self._mark,
            self._side,
            alone=self._resource is not None,
            pure=False,
            workers=[worker] if worker else None,
            allow_other_workers=worker is not None,
            resources={self._resource: 1} if self._resource else None,
        )

    def _answer(self, future: Future) -> Answer:
        try:
            answer: Answer = future.result()
        except KilledWorker as error:
            raise InferenceError(
                "a trial ended its worker again and again", hint="its log says why; fewer workers need less memory"
            ) from error
        except ImportError as error:
            raise UsageError(f"a worker lacks something: {error}", hint="start it in the checkout") from error
        except (CancelledError, CommClosedError) as error:
            raise InferenceError(
                "the scheduler is gone; what was finished is kept", hint="start it, then run the command again"
            ) from error
        return answer

    def _send(self, parcel: Parcel, worker: str, sends: int) -> None:
        """Send *worker* the inputs that its machine lacks, unless another one's were sent there meanwhile."""
        if sends == _SENDS:
            raise InferenceError(f"worker {worker} does not keep what it is sent", hint="has its disk room?")
        try:
            missing = self._client.run(lacking, parcel.inputs, workers=[worker])[worker]
            for batch in files.batches([parcel.inputs[number] for number in missing]):
                self._client.run(receive, batch, workers=[worker])
                log.info("sent %d files to %s", len(batch), worker)
        except (OSError, ValueError, KeyError) as error:
            log.warning("%s was lost while files were sent to it: %s", worker, error)


_SILENT = logging.CRITICAL


def _quieten() -> None:
    """What Dask logs of workers that come and go is no news here."""
    logging.getLogger("distributed").setLevel(_SILENT)


def _opened(client: Client, resource: str | None, out: Path, mounted: Collection[Path]) -> Iterator[Cluster]:
    """Lay the mark into *out*, and take it away."""
    log.info("the dashboard of Dask: %s", client.dashboard_link)
    path = out.absolute() / f".fleet-{uuid.uuid4().hex}"
    mark = Mark(path, path.name)
    write_text(path, path.name)
    try:
        yield Cluster(client, resource, mark, mounted)
    finally:
        path.unlink()


def _require_useful(client: Client, resource: str | None) -> None:
    """Wait for a worker, and look at all of them.

    Raises:
        UsageError: there is none, none has the resource, one has several threads, or one is of another Python or Dask.
    """
    try:
        client.wait_for_workers(1, timeout=_PATIENCE_S)
    except TimeoutError as error:
        raise UsageError("the cluster has no worker", hint="python -m dask worker ADDRESS --nthreads 1") from error
    for worker, versions in client.get_versions()["workers"].items():
        _require_same(f"worker {worker}", versions)
    try:
        workers = client.run_on_scheduler(_workers)
    except ImportError as error:
        raise UsageError(f"the scheduler lacks something: {error}", hint="start it in the checkout") from error
    threaded = [address for address, (threads, _) in workers.items() if threads > 1]
    if threaded:
        raise UsageError(f"{threaded[0]} runs several trials in one process", hint="start workers with --nthreads 1")
    resources = sorted({name for _, resources in workers.values() for name in resources})
    if resource and resource not in resources:
        raise UsageError(
            f"no worker has the resource {resource!r}; there are: {', '.join(resources) or 'none'}",
            hint=f'python -m dask worker ADDRESS --nthreads 1 --resources "{resource}=1"',
        )


async def _versions(scheduler: str) -> dict[str, Any]:
    async with rpc(scheduler, connection_args=Security().get_connection_args("client")) as asked:
        versions: dict[str, Any] = await asyncio.wait_for(asked.versions(), _PATIENCE_S)
    return versions


def _require_same(where: str, versions: dict[str, Any]) -> None:
    """Find Python and Dask of another process to be ours.

    Raises:
        UsageError: they are not.
    """
    ours = Side.here()
    theirs = replace(ours, python=minor(versions["host"]["python"]), dask=str(versions["packages"]["distributed"]))
    ours.require(theirs, where)


def _workers(dask_scheduler: Any) -> dict[str, tuple[int, dict[str, float]]]:
    """Threads and resources of each worker, as the scheduler knows them."""
    workers = dask_scheduler.workers.values()
    return {worker.address: (worker.nthreads, dict(worker.resources)) for worker in workers}
