"""Figures of a study in a file, an entry at a time, so that a study that was stopped goes on where it was."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from siamtrt import Manifest, cli, documents
from siamtrt.environment import describe
from siamtrt.files import read_json


class Record:
    """Entries by name.

    Args:
        path: of the file; None to keep nothing.
        study: the module that is run, for the command in the file.
        settings: all that decides about an entry; those of other settings or another revision are not taken over.
    """

    def __init__(self, path: Path | None, study: str, settings: dict[str, Any]) -> None:
        self._path = path
        environment = describe()
        self._head = {"environment": environment, "command": cli.command_line(study), "settings": settings}
        self._entries: dict[str, Any] = {}
        before = read_json(path) if path and path.is_file() else {}
        revision = before.get("environment", {}).get("git_revision")
        if before.get("settings") == settings and revision == environment["git_revision"]:
            self._entries = before["entries"]

    def get(self, name: str) -> Any:
        """The entry of that name; None where there is none yet."""
        return self._entries.get(name)

    def keep(self, name: str, entry: Any, engines: Path) -> None:
        """Add an entry, JSON-ready, that was measured with *engines*, and write the file.

        Raises:
            ArtifactError: it cannot be written.
        """
        self._entries[name] = entry
        if self._path:
            trail = {"engines_manifest": asdict(Manifest.load(engines, stage="engines"))}
            documents.write(self._path, {**self._head, **trail, "entries": self._entries})
