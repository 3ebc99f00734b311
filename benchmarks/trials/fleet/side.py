"""The two sides of a cluster are one software: the same Python, the same Dask, the same code."""

from __future__ import annotations

import functools
import hashlib
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from siamtrt import UsageError
from siamtrt.__main__ import STAGES
from siamtrt.files import sha256

_HINT = "the same checkout and requirements on both sides, see docs/fleet.md"
_ROOT = Path(__file__).parents[3]
_ROOMS = sorted({"siamtrt", "sequences", *(stage.split(".")[0] for stage in STAGES)})


@dataclass(frozen=True)
class Side:
    """The software of one side.

    Attributes:
        python: its version, without the patch level.
        dask: version of ``distributed``.
        code: digest of this project's modules.
    """

    python: str
    dask: str
    code: str

    @classmethod
    def here(cls) -> Side:
        """That of this process."""
        return cls(minor(sys.version), version("distributed"), _code())

    def require(self, theirs: Side, where: str) -> None:
        """Find *theirs* equal.

        Args:
            theirs: of the worker.
            where: the worker, in words.

        Raises:
            UsageError: they differ.
        """
        others = asdict(theirs)
        pairs = {name: (others[name][:9], mine[:9]) for name, mine in asdict(self).items() if mine != others[name]}
        differing = [f"{name} {there} there, {here} here" for name, (there, here) in pairs.items()]
        if differing:
            raise UsageError(f"{where} runs other software: {'; '.join(differing)}", hint=_HINT)


def minor(python: str) -> str:
    """3.11 of 3.11.7.final.0 or of ``sys.version``."""
    return ".".join(python.split()[0].split(".")[:2])


@functools.lru_cache(maxsize=None)
def _code() -> str:
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((_ROOT / room).rglob("*.py")):
            digest.update(f"{path.relative_to(_ROOT)} {sha256(path)}\n".encode())
    return digest.hexdigest()
