"""The paper trail: what an artifact is, what it was made from, how and where."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Iterable

from siamtrt.documents import Format
from siamtrt.errors import ArtifactError
from siamtrt.files import sha256

FILE_NAME = "manifest.json"
_GOALS = {"calibration": "calibrate"}  # of make, where it is not called like its stage
_WORDS = {"engines": ("backend", "precision")}
_LISTS = ("calibration_sources", "keep")
_FORMAT = Format("a manifest", schema=1, hint="build it anew")


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
        _FORMAT.save(path, asdict(self), indent=2)
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
                hint=f"'make {_GOALS.get(stage, stage)}', or python -m {stage} --help",
            )
        manifest = _FORMAT.read(path, cls)
        if manifest.stage != stage:
            raise ArtifactError(f"{folder} was written by {manifest.stage}, expected {stage}", hint="check the path")
        manifest.require_match(folder)
        manifest._require_words(path)
        return manifest

    def _require_words(self, path: Path) -> None:
        """Prove that the settings that later stages go by are words, or lists of such.

        Raises:
            ArtifactError: one is not.
        """
        words = [self.settings.get(name) for name in _WORDS.get(self.stage, ())]
        listed = [self.settings.get(name) or [] for name in _LISTS]
        if any(not isinstance(names, list) for names in listed):
            raise ArtifactError(f"{path} has {' or '.join(_LISTS)} that is no list", hint=self.command)
        if not all(isinstance(word, str) for word in [*words, *(word for names in listed for word in names)]):
            raise ArtifactError(f"{path} has a setting that is no word", hint=self.command)

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
