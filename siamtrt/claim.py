"""What of a folder is finished, and for what: the record that lets interrupted work resume.

A record is a JSON file ``{"key": ..., "done": {...}}``. The key is all that decides about the results: settings,
digests of inputs, versions. What was done under another key is not taken for finished.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Mapping

from siamtrt import documents
from siamtrt.errors import ArtifactError
from siamtrt.files import read_json


def finished(path: Path, key: Mapping[str, Any]) -> Dict[str, Any]:
    """The items that the record at *path* names as done under *key*: name -> notes. Empty under another key.

    Raises:
        ArtifactError: the record is damaged.
    """
    record = _record(path)
    return dict(record["done"]) if record.get("key") == dict(key) else {}


def save(path: Path, key: Mapping[str, Any], done: Mapping[str, Any]) -> None:
    """Record *done* (name -> notes, JSON-ready) under *key*.

    Raises:
        ArtifactError: the folder cannot be written.
    """
    documents.write(path, {"key": dict(key), "done": dict(done)})


def changed(path: Path, key: Mapping[str, Any]) -> List[str]:
    """The names of *key* whose values differ from those of the record at *path*; empty where there is no record.

    Raises:
        ArtifactError: the record is damaged.
    """
    before = _record(path).get("key", {})
    return [name for name in key if name in before and before[name] != key[name]]


def take(path: Path, key: Mapping[str, Any]) -> None:
    """Claim the folder of *path* for *key*; an earlier claim for the same key stays, with what was done.

    Raises:
        ArtifactError: the folder is claimed for something else; or it cannot be written.
    """
    differing = changed(path, key)
    if differing:
        raise ArtifactError(
            f"{path.parent} holds results for another request: {', '.join(differing)} differ",
            hint="choose another --out, or delete that folder",
        )
    record = _record(path)
    before = record.get("key", {})
    if {**before, **key} != before:
        save(path, {**before, **key}, record.get("done", {}))


def _record(path: Path) -> Dict[str, Any]:
    if not path.is_file():
        return {}
    record = read_json(path)
    if not isinstance(record.get("key"), dict) or not isinstance(record.get("done"), dict):
        raise ArtifactError(f"{path} is damaged", hint="delete it; what it names is done again")
    return record
