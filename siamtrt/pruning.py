"""What was cut out of a checkpoint, stored beside it: ``pruning.json`` in its folder, or a file of its own name."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from siamtrt.documents import Format
from siamtrt.errors import ArtifactError
from siamtrt.files import read_json, sha256

FILE_NAME = "pruning.json"
_FORMAT = Format("a record of pruning", schema=1, kind="pruning", hint="cut the checkpoint anew")


@dataclass(frozen=True)
class PrunedGroup:
    """Channels that stand and fall together, of which some went; or a residual block, whole or gone.

    Attributes:
        name: of the first layer that makes them; of a block its own, and its width is one.
        members: every layer they reach.
        before: how many there were.
        kept: which of them stayed, by their numbers in the whole network.
        score_kept: what the last scores say the kept ones are worth together; None for a group without scores.
        score_lost: the same of those that went in the last round.
    """

    name: str
    members: Tuple[str, ...]
    before: int
    kept: Tuple[int, ...]
    score_kept: Optional[float] = None
    score_lost: Optional[float] = None


@dataclass(frozen=True)
class PruningRecord:
    """How a checkpoint came out of a larger one.

    Attributes:
        model: a name of the table in README.md.
        variant: what the smaller one is called beside it.
        sha256: digest of the smaller checkpoint.
        parent_sha256: digest of the whole one.
        mode: how channels were scored.
        seed: of what was drawn for the scores.
        pairs: how many pairs they were measured on; 0 for scores that see no picture.
        probes: random directions a pair.
        budget: what was asked for, unit -> limit.
        multiple: widths that changed are multiples of it, or the floor of their group.
        steps: of distillation after the cut, over all rounds.
        groups: every group that could give up channels.
        work_before: graph -> ``macs`` and ``parameters`` of the whole one.
        work_after: the same of the smaller one.
        sources: names of the videos that scores and distillation drew pairs from, or that chose the weights kept.
        command: makes it again.
        environment: versions and machine.
    """

    model: str
    variant: str
    sha256: str
    parent_sha256: str
    mode: str
    seed: int
    pairs: int
    probes: int
    budget: Dict[str, float]
    multiple: int
    steps: int
    groups: Tuple[PrunedGroup, ...]
    work_before: Dict[str, Dict[str, int]]
    work_after: Dict[str, Dict[str, int]]
    sources: Tuple[str, ...]
    command: str
    environment: Dict[str, Any]

    def save(self, path: Path) -> None:
        """Write it to *path*."""
        _FORMAT.save(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> PruningRecord:
        """Read *path*.

        Raises:
            ArtifactError: it is absent or no such record.
        """
        return _FORMAT.read(path, cls)


def record_of(checkpoint: Path) -> Optional[PruningRecord]:
    """The record beside *checkpoint*; None where there is none. A file of its name may be a document of another kind.

    Raises:
        ArtifactError: it is damaged, or of other weights.
    """
    path, common = checkpoint.with_suffix(".json"), checkpoint.with_name(FILE_NAME)
    if not path.is_file() or read_json(path).get("kind") != _FORMAT.kind:
        path = common
    if not path.is_file():
        return None
    record = PruningRecord.load(path)
    if record.sha256 != sha256(checkpoint):
        raise ArtifactError(f"{path} is of other weights than {checkpoint}", hint=record.command)
    return record
