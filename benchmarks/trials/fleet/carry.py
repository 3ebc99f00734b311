"""What a worker of a cluster does with a parcel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Sequence

from distributed import Worker, get_worker

from benchmarks.trials.fleet import files
from benchmarks.trials.fleet.files import Input
from benchmarks.trials.fleet.machine import turn
from benchmarks.trials.fleet.parcel import Parcel
from benchmarks.trials.fleet.side import Side
from siamtrt.manifest import FILE_NAME

_CLOSING = {"results", "trials"}  # what lies below these declares something finished, as a manifest does


@dataclass(frozen=True)
class Mark:
    """A file in the folder of results by whose content a worker sees that it has the same folder."""

    path: Path
    text: str

    def is_seen(self) -> bool:
        """Whether it lies here."""
        return self.path.is_file() and self.path.read_text(encoding="utf-8") == self.text


@dataclass(frozen=True)
class Answer:
    """What a worker sends back.

    Attributes:
        worker: its address.
        lacking: it does not have all inputs, so nothing was done.
        result: of the work.
        files: name below the folder of results and content, in the order of writing; empty where that folder is shared.
    """

    worker: str
    lacking: bool = False
    result: Any = None
    files: Sequence[tuple[str, bytes]] = ()


def carry_out(parcel: Parcel, mark: Mark, side: Side, alone: bool) -> Answer:
    """Do the work where all inputs are here.

    Raises:
        UsageError: this worker runs other software.
        PipelineError: what the work raised.
    """
    own = get_worker()
    worker = str(own.address)
    side.require(Side.here(), f"worker {worker}")
    places = [one.found(_store(own)) for one in parcel.inputs]
    known = [place for place in places if place is not None]
    if len(known) < len(places):
        return Answer(worker, lacking=True)
    with turn(alone=alone):
        if mark.is_seen():
            return Answer(worker, result=parcel.call(known, parcel.out))
        with TemporaryDirectory(prefix="siamtrt-trial-") as scratch:
            result = parcel.call(known, Path(scratch))
            return Answer(worker, result=result, files=written(Path(scratch)))


def written(folder: Path) -> list[tuple[str, bytes]]:
    """The files of *folder* and their contents, what declares others finished behind them."""
    paths = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_mtime_ns)
    names = [path.relative_to(folder) for path in paths]
    names.sort(key=lambda name: name.name == FILE_NAME or bool(_CLOSING.intersection(name.parts)))
    return [(name.as_posix(), (folder / name).read_bytes()) for name in names]


def lacking(inputs: Sequence[Input], dask_worker: Worker) -> list[int]:
    """The numbers of those that are not on the machine of this worker; Dask gives the last argument."""
    return [number for number, one in enumerate(inputs) if one.found(_store(dask_worker)) is None]


def receive(batch: Sequence[tuple[str, bytes]], dask_worker: Worker) -> None:
    """Keep what was sent, for all workers of this machine; Dask gives the last argument."""
    files.keep(_store(dask_worker), batch)


def _store(worker: Worker) -> Path:
    return Path(worker.local_directory).parent / "siamtrt-inputs"
