"""A protocol is data: ``evaluation/protocols/NAME.json`` (JSON, since the board's Python reads no TOML)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Mapping, Tuple

from siamtrt import UsageError
from siamtrt.documents import Format
from siamtrt.files import read_json

_FOLDER = Path(__file__).parents[1] / "protocols"
_FORMAT = Format("a protocol", schema=1, hint="write one like those in benchmarks/evaluation/protocols")


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

    @property
    def rules(self) -> Mapping[str, int]:
        """What of it decides about results; the rest decides about measures."""
        return {"skip_frames": self.skip_frames}

    @property
    def key(self) -> dict[str, Any]:
        """All that decides about figures, JSON-ready: a file may keep its name when its numbers change."""
        numbers = {name: value for name, value in asdict(self).items() if name != "source"}
        return {**numbers, "tags": list(self.tags)}

    @classmethod
    def load(cls, name: str) -> Protocol:
        """Read a protocol by name, or from the path of a file.

        Raises:
            UsageError: there is no such protocol.
            ArtifactError: the file is not a protocol.
        """
        path = Path(name) if name.endswith(".json") else _FOLDER / f"{name}.json"
        if not path.is_file():
            known = ", ".join(sorted(file.stem for file in _FOLDER.glob("*.json")))
            raise UsageError(f"unknown protocol {name!r}", hint=f"one of {known}, or the path of a .json file")
        return _FORMAT.build(cls, read_json(path), path)
