"""The paper trail: what an artifact is, what it was made from, how and where."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Iterable

from siamtrt.errors import ArtifactError
from siamtrt.files import read_json, sha256, write_text

FILE_NAME = "manifest.json"
SCHEMA = 1


@dataclass(frozen=True)
class Manifest:
    """Provenance of the artifacts of one folder, stored there as ``manifest.json``.

    Attributes:
        stage: the package that wrote the folder, e.g. ``engines``.
        command: the command line that makes the folder again.
        files: file name, relative to the folder -> sha256, of each artifact.
        parents: file path as it was given -> sha256, of each input, so that a chain can be walked back.
        settings: what the caller chose (precision, workspace, ...).
        environment: what the machine chose (versions, GPU, L4T, power mode, ...).
    """

    stage: str
    command: str
    files: Dict[str, str]
    parents: Dict[str, str]
    settings: Dict[str, Any]
    environment: Dict[str, Any]

    @classmethod
    def of(
        cls,
        folder: Path,
        names: Iterable[str],
        *,
        stage: str,
        command: str,
        parents: Iterable[Path],
        settings: Dict[str, Any],
        environment: Dict[str, Any],
    ) -> Manifest:
        """Digest the files *names* of *folder* and the files *parents*.

        Raises:
            ArtifactError: one of them cannot be read.
        """
        return cls(
            stage=stage,
            command=command,
            files={name: sha256(folder / name) for name in names},
            parents={str(parent): sha256(parent) for parent in parents},
            settings=settings,
            environment=environment,
        )

    def save(self, folder: Path) -> Path:
        """Write ``manifest.json`` into *folder*; do it last, since it declares the folder finished."""
        path = folder / FILE_NAME
        write_text(path, json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2) + "\n")
        return path

    @classmethod
    def load(cls, folder: Path, *, stage: str) -> Manifest:
        """Read ``manifest.json`` from *folder* and prove the digest of every file it lists.

        Args:
            folder: where the artifacts lie.
            stage: the stage that must have written it.

        Raises:
            ArtifactError: the manifest is absent, damaged, of another schema or stage, or a file differs from it.
        """
        path = folder / FILE_NAME
        if not path.is_file():
            raise ArtifactError(
                f"{folder} has no {FILE_NAME}, so it is not a finished {stage} folder",
                hint=f"'make {stage}', or python -m {stage} --help",
            )
        fields = read_json(path)
        schema = fields.pop("schema", None)
        if schema != SCHEMA:
            raise ArtifactError(f"{path} has schema {schema}, this version reads {SCHEMA}", hint="build it anew")
        try:
            manifest = cls(**fields)
        except TypeError as error:
            raise ArtifactError(f"{path} is not a manifest: {error}", hint="build it anew") from error
        if not all(isinstance(part, dict) for part in (manifest.files, manifest.parents, manifest.settings)):
            raise ArtifactError(f"{path} is not a manifest: its lists have no names", hint="build it anew")
        if manifest.stage != stage:
            raise ArtifactError(f"{folder} was written by {manifest.stage}, expected {stage}", hint="check the path")
        manifest.require_match(folder)
        return manifest

    def require_match(self, folder: Path) -> None:
        """Prove that each listed file of *folder* is the one the manifest was written for.

        Raises:
            ArtifactError: a file is absent or differs; the hint is the command that builds it anew.
        """
        for name, expected in self.files.items():
            path = folder / name
            if not path.is_file():
                raise ArtifactError(f"{path} is missing", hint=self.command)
            if sha256(path) != expected:
                raise ArtifactError(f"{path} is not the file its manifest describes", hint=self.command)
