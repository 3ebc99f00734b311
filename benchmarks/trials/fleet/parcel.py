"""Work on one item, packed so that it can be unpacked where the same files have other places."""

from __future__ import annotations

import io
import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Collection, Sequence

from benchmarks.trials.fleet.files import Input

_OUT, _INPUT, _AS_IS = "out", "input", "as is"


@dataclass(frozen=True)
class Parcel:
    """Work and item; every path in them is a reference that is resolved where it is unpacked.

    Attributes:
        body: the pickled pair.
        inputs: what it reads.
        out: the folder that it writes into, where it was packed.
    """

    body: bytes
    inputs: tuple[Input, ...]
    out: Path

    @classmethod
    def pack(cls, work: Callable[[Any], Any], item: Any, out: Path, mounted: Collection[Path] = ()) -> Parcel:
        """Pack *work* on *item*.

        A path that exists is an input, also below *out*; *out* itself and what is not there yet is written to. A frame
        of a video file is a path below that file.

        Args:
            work: can be pickled.
            item: can be pickled.
            out: the folder of results.
            mounted: paths that are the same everywhere, too large to look into.

        Raises:
            ArtifactError: an input cannot be read.
        """
        stream = io.BytesIO()
        packer = _Packer(stream, _absolute(out), {_absolute(path) for path in mounted})
        packer.dump((work, item))
        return cls(stream.getvalue(), tuple(packer.inputs.values()), _absolute(out))

    def call(self, places: Sequence[Path], out: Path) -> Any:
        """Unpack with the inputs at *places* and *out* as the folder of results, and do the work."""
        work, item = _Unpacker(io.BytesIO(self.body), places, out).load()
        return work(item)


class _Packer(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, out: Path, mounted: Collection[Path]) -> None:
        super().__init__(stream, protocol=pickle.HIGHEST_PROTOCOL)
        self.inputs: dict[Path, Input] = {}
        self._numbers: dict[Path, int] = {}
        self._out, self._mounted = out, mounted

    def persistent_id(self, value: Any) -> tuple[str, Any, str] | None:
        """Name a path by what it is to the trial; everything else is pickled as it is."""
        if not isinstance(value, Path):
            return None
        path = _absolute(value)
        lineage = [path, *path.parents]
        if self._out not in lineage and any(folder in self._mounted for folder in lineage):
            return _AS_IS, None, str(path)
        top = next((folder for folder in lineage if folder in self.inputs), None)
        if top is None and path != self._out:
            top = next((place for place in lineage[:2] if place.is_file()), path if path.is_dir() else None)
        if top is not None:
            if top not in self.inputs:
                self.inputs[top] = Input.of(top)
                self._numbers[top] = len(self._numbers)
            return _INPUT, self._numbers[top], os.path.relpath(path, top)
        if self._out in lineage:
            return _OUT, None, os.path.relpath(path, self._out)
        return _AS_IS, None, str(value)


class _Unpacker(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, places: Sequence[Path], out: Path) -> None:
        super().__init__(stream)
        self._places, self._out = places, out

    def persistent_load(self, name: tuple[str, Any, str]) -> Path:
        """The path here that has this name."""
        kind, number, text = name
        if kind == _AS_IS:
            return Path(text)
        return (self._out if kind == _OUT else self._places[number]) / text


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))
