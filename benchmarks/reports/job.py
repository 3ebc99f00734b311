"""What one bench was asked to do, and where its files lie."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.evaluation.options import RunOptions
from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.profiling.power.probe import ProbeChoice
from sequences.sequence import Sequence
from siamtrt import claim
from siamtrt.environment import describe
from siamtrt.files import sha256
from siamtrt.manifest import FILE_NAME

REQUEST = "request.json"
TRACKER = "tracker"  # the name of the results within a bench; the report says what it is


@dataclass(frozen=True)
class Job:
    """One engine folder on some sequences.

    Attributes:
        engines: folder written by ``python -m engines``.
        run: the other options of the run.
        sequences: that are run.
        annotations: PySOT's JSON; None to make one from the sequences.
        out: folder of the report.
        layer_runs: runs that the medians of the layers are of; 0 to leave the layers out.
        probe: of the power.
        command: that does all of this again.
    """

    engines: Path
    run: RunOptions
    sequences: tuple[Sequence, ...]
    annotations: Path | None
    out: Path
    layer_runs: int
    probe: ProbeChoice
    command: str

    @property
    def names(self) -> list[str]:
        """Names of the sequences."""
        return [sequence.name for sequence in self.sequences]

    @property
    def truth(self) -> Path:
        """The annotations that the results are measured with."""
        return self.annotations or self.out / "annotations.json"

    @property
    def protocol(self) -> Protocol:
        """The protocol of the run."""
        return Protocol.load(self.run.protocol)

    def claim(self) -> None:
        """Take the folder for this job, or for the rest of it after an interruption.

        Raises:
            ArtifactError: it holds another job's results; or it cannot be written.
        """
        claim.take(self.out / REQUEST, self._request())

    def _request(self) -> dict[str, Any]:
        """What the figures depend on."""
        return {
            "engines": sha256(self.engines / FILE_NAME),
            "protocol": self.protocol.key,
            "annotations": sha256(self.annotations) if self.annotations else None,
            "sequences": {sequence.name: truth_sha256(sequence) for sequence in self.sequences},
            "threads": self.run.threads,
            "layer_runs": self.layer_runs,
            "probe": self.probe.name,
            "machine": machine(),
        }


def machine() -> dict[str, Any]:
    """What of this machine the figures depend on: its power mode and its libraries too, no revision of the code."""
    return {name: value for name, value in describe().items() if name != "git_revision"}


def truth_sha256(sequence: Sequence) -> str:
    """Digest of the regions of a sequence, whatever form they are stored in."""
    return hashlib.sha256(json.dumps(sequence.regions).encode("ascii")).hexdigest()
