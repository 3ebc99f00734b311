"""A protocol is data: ``benchmarks/protocols/NAME.json`` (JSON, since the board's Python reads no TOML)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Tuple

from siamtrt import ArtifactError, UsageError
from siamtrt.files import read_json

_FOLDER = Path(__file__).parents[1] / "protocols"


@dataclass(frozen=True)
class Protocol:
    """The numbers of one challenge.

    Attributes:
        name: e.g. ``vot2018``.
        skip_frames: from a failure to the frame the tracker starts again.
        burn_in_frames: after each start that accuracy leaves out.
        eao_low: shortest sequence length that the expected average overlap looks at.
        eao_high: longest one, included.
        tags: attributes of frames; ``empty`` marks a frame without any.
        source: where the numbers come from.
    """

    name: str
    skip_frames: int
    burn_in_frames: int
    eao_low: int
    eao_high: int
    tags: Tuple[str, ...]
    source: str

    @classmethod
    def load(cls, name: str) -> Protocol:
        """Read a protocol by name, or from the path of a file.

        Raises:
            UsageError: there is no such protocol.
            ArtifactError: the file is not a protocol.
        """
        path = Path(name) if name.endswith(".json") else _FOLDER / f"{name}.json"
        if not path.is_file():
            known = ", ".join(sorted(found.stem for found in _FOLDER.glob("*.json")))
            raise UsageError(f"unknown protocol {name!r}", hint=f"one of {known}, or the path of a .json file")
        fields = read_json(path)
        try:
            return cls(**{**fields, "tags": tuple(fields["tags"])})
        except (TypeError, KeyError) as error:
            raise ArtifactError(f"{path} is not a protocol: {error}") from error
