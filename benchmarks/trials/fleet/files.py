"""Files that a trial reads, known by their digests: found where they are, or kept in a store once they were sent."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Mapping, Sequence

from siamtrt.files import sha256, write_bytes

_BATCH_BYTES = 32 << 20


@dataclass(frozen=True)
class Input:
    """A file or a folder that a trial reads.

    Attributes:
        path: where it lies on the machine that asks, absolute.
        files: name below *path* -> sha256; the one name of a file is ``.``.
    """

    path: Path
    files: Mapping[str, str]

    @classmethod
    def of(cls, path: Path) -> Input:
        """The input that lies at *path*.

        Raises:
            ArtifactError: one of its files cannot be read.
        """
        return cls(path, {name: _digest(path / name) for name in _names(path)})

    @property
    def key(self) -> str:
        """Digest of names and contents."""
        listed = "".join(f"{name} {digest}\n" for name, digest in sorted(self.files.items()))
        return hashlib.sha256(listed.encode()).hexdigest()

    def found(self, store: Path) -> Path | None:
        """Where this machine has it: in its own place, else in *store*; None where it must be sent."""
        return next((path for path in (self.path, store / self.name) if self._lies_at(path)), None)

    @property
    def name(self) -> str:
        """Its place in a store; the names of images are part of what decides about a result."""
        return f"{self.key}/{self.path.name}"

    def _lies_at(self, path: Path) -> bool:
        return all((path / name).is_file() and _digest(path / name) == digest for name, digest in self.files.items())


def batches(inputs: Sequence[Input]) -> Iterator[list[tuple[str, bytes]]]:
    """All files of *inputs* as name in a store and content, in messages of some size.

    Raises:
        OSError: a file cannot be read any more.
    """
    batch, size = [], 0
    for one in inputs:
        for name in one.files:
            content = (one.path / name).read_bytes()
            batch.append((f"{one.name}/{name}", content))
            size += len(content)
            if size >= _BATCH_BYTES:
                yield batch
                batch, size = [], 0
    yield batch


def keep(folder: Path, files: Sequence[tuple[str, bytes]]) -> None:
    """Write *files*, in their order, each whole or not at all.

    Raises:
        ArtifactError: the disk is full.
    """
    for name, content in files:
        write_bytes(folder / name, content)


def _names(path: Path) -> list[str]:
    if path.is_file():
        return ["."]
    return sorted(
        file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file() and file.name[0] != "."
    )


def _digest(path: Path) -> str:
    status = path.stat()
    return _digest_of(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=None)
def _digest_of(path: Path, _mtime_ns: int, _size: int) -> str:
    return sha256(path)
