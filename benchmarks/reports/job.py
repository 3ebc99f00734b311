"""What one bench was asked to do, and where its files lie."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from benchmarks.evaluation.vot.protocol import Protocol
from sequences.sequence import Sequence
from siamtrt import ArtifactError
from siamtrt.environment import describe
from siamtrt.files import read_json, sha256, write_text
from siamtrt.manifest import FILE_NAME

REQUEST = "request.json"


@dataclass(frozen=True)
class Job:
    """One engine folder on some sequences.

    Attributes:
        engines: folder written by ``python -m engines``.
        root: folder of the sequences.
        sequences: of it that are run.
        protocol: name or path, as the commands take it.
        annotations: PySOT's JSON; None to make one from the sequences.
        out: folder of the report.
        threads: of the CPU backend; all cores when None.
        layer_runs: that the medians of the layers are of; 0 to leave the layers out.
        probe: of the power.
        tegrastats: how that program is run; None for its own name.
        leak_allowed: run on sequences that calibrated the engines.
        command: that does all of this again.
    """

    engines: Path
    root: Path
    sequences: Tuple[Sequence, ...]
    protocol: str
    annotations: Optional[Path]
    out: Path
    threads: Optional[int]
    layer_runs: int
    probe: str
    tegrastats: Optional[str]
    leak_allowed: bool
    command: str

    @property
    def names(self) -> List[str]:
        """Of the sequences."""
        return [sequence.name for sequence in self.sequences]

    @property
    def truth(self) -> Path:
        """The annotations that the results are measured with."""
        return self.annotations or self.out / "annotations.json"

    def claim(self) -> None:
        """Take the folder for this job, or for the rest of it after an interruption.

        Raises:
            ArtifactError: it holds another job's results; or it cannot be written.
        """
        claim(self.out, self._request())

    def _request(self) -> Dict[str, Any]:
        """What the figures depend on."""
        machine = describe()
        del machine["git_revision"]
        return {
            "engines": sha256(self.engines / FILE_NAME),
            "protocol": Protocol.load(self.protocol).name,
            "annotations": sha256(self.annotations) if self.annotations else None,
            "sequences": {sequence.name: truth_sha256(sequence) for sequence in self.sequences},
            "threads": self.threads,
            "layer_runs": self.layer_runs,
            "machine": machine,
        }


def claim(out: Path, request: Dict[str, Any]) -> None:
    """Take the folder *out* for *request*, or for the rest of it after an interruption.

    Raises:
        ArtifactError: what it holds was made for another request; or it cannot be written.
    """
    path = out / REQUEST
    before = read_json(path) if path.is_file() else {}
    changed = [name for name in request if name in before and before[name] != request[name]]
    if changed:
        raise ArtifactError(
            f"{out} holds results for another request: {', '.join(changed)} differ",
            hint="choose another --out, or delete that folder",
        )
    if {**before, **request} != before:
        write_text(path, json.dumps({**before, **request}, indent=1) + "\n")


def truth_sha256(sequence: Sequence) -> str:
    """Digest of the regions of a sequence, whatever form they are stored in."""
    return hashlib.sha256(json.dumps(sequence.regions).encode("ascii")).hexdigest()
