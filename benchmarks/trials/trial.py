"""One run among many: frozen settings, a folder, and the claim by which it resumes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

from siamtrt import claim

_RESULT = "result"


@dataclass(frozen=True)
class Trial:
    """A run that can be sent anywhere: whoever carries it out leaves its result in its folder.

    Attributes:
        name: of the trial, unique in its folder.
        folder: of the records of trials.
        settings: all that decides about the result, JSON-ready.
    """

    name: str
    folder: Path
    settings: Mapping[str, Any]

    def result(self) -> dict[str, Any] | None:
        """What :meth:`finish` left; None where it is not finished, or was with other settings.

        Raises:
            ArtifactError: the record is damaged.
        """
        return claim.finished(self._record, self.settings).get(_RESULT)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Declare it finished with a *result*, JSON-ready and small; the rest lies in files."""
        claim.save(self._record, self.settings, {_RESULT: dict(result)})

    @property
    def _record(self) -> Path:
        return self.folder / f"{self.name}.json"
