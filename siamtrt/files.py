"""Files that are either whole or not there, and their digests."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Dict, Iterator, List

from siamtrt.errors import ArtifactError

_CHUNK_BYTES = 1 << 20


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it becomes *path* when the block ends well, and vanishes when it does not.

    Missing parent folders are made. The temporary name lies beside *path*, keeps its suffix and starts with a dot.

    Raises:
        ArtifactError: the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with suppress(OSError):  # what went wrong before must be heard
            temporary.unlink()


def visible(folder: Path, pattern: str = "*") -> List[Path]:
    """The paths of *folder* that match, by name, without half-written files, which a kill leaves behind."""
    return sorted(path for path in folder.glob(pattern) if path.name[0] != ".")


def require_writable(path: Path) -> None:
    """Find out before long work whether the file or folder *path* can be written; nothing is left there.

    Raises:
        ArtifactError: it cannot.
    """
    try:
        folder = path if path.is_dir() else next(parent for parent in path.absolute().parents if parent.exists())
        with TemporaryFile(dir=str(folder)):
            pass
    except OSError as error:
        raise write_error(path, error) from error


def write_error(path: Path, error: OSError) -> ArtifactError:
    """Say in one sentence why *path* could not be written."""
    hint = "free some space, then run the command again" if error.errno == errno.ENOSPC else "choose another folder"
    return ArtifactError(f"cannot write {path}: {error.strerror or error}", hint=hint)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 *text* to *path*, whole or not at all.

    Raises:
        ArtifactError: see :func:`whole_file`.
    """
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, data: bytes) -> None:
    """Write *data* to *path*, whole or not at all.

    Raises:
        ArtifactError: see :func:`whole_file`.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def read_json(path: Path) -> Dict[str, Any]:
    """Read a JSON object.

    Raises:
        ArtifactError: the file is absent, unreadable, or not a JSON object.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArtifactError(f"no such file: {path}") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ArtifactError(f"cannot read {path}: {error}") from error
    if not isinstance(document, dict):
        raise ArtifactError(f"{path} does not hold a JSON object")
    return document


def sha256(path: Path) -> str:
    """Hex digest of the file's content.

    Raises:
        ArtifactError: the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            for chunk in iter(lambda: stream.read(_CHUNK_BYTES), b""):
                digest.update(chunk)
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}") from error
    return digest.hexdigest()
