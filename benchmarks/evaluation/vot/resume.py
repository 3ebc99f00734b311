"""What an interrupted run has left: finished sequences are kept, if they were made by the same engines."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from benchmarks.evaluation.vot.protocol import Protocol
from sequences.sequence import Sequence
from siamtrt import Manifest, UsageError
from siamtrt.files import read_json

KEY = "made_by"


def provenance(engines: Optional[Path], opencv: Optional[str], protocol: Optional[Protocol]) -> Dict[str, Any]:
    """What decides about a result, as it is kept beside it: digests of the engines, or a name, and the protocol.

    Raises:
        ArtifactError: the engines are unfinished, or not what their manifest says.
    """
    rules = None if protocol is None else {"skip_frames": protocol.skip_frames}
    files = Manifest.load(engines, stage="engines").files if engines else None
    return {"engines": files, "opencv": opencv, "protocol": rules}


def of_sequence(made_by: Dict[str, Any], sequence: Sequence) -> Dict[str, Any]:
    """*made_by*, and what else decides about the result of one sequence: its truth and the names of its images."""
    told = repr((sequence.regions, [image.name for image in sequence.images]))
    return {**made_by, "sequence": hashlib.sha256(told.encode()).hexdigest()}


def beside(out: Path, tracker: str, sequence: str) -> Path:
    """The file of a run that keeps the times of a result, and what made it."""
    return out / "times" / tracker / f"{sequence}.json"


def unfinished(
    sequences: List[Sequence],
    out: Path,
    tracker: str,
    made_by: Dict[str, Any],
    result_path: Callable[[Path, str, str], Path],
) -> List[Sequence]:
    """The sequences without a result, each of which is written last, whole or not at all.

    Args:
        sequences: of the run.
        out: of the run.
        tracker: name of the results.
        made_by: see :func:`provenance`.
        result_path: where the result lies below ``OUT/results``.

    Raises:
        UsageError: a result was made by other engines or rules, of another sequence, or by it is not said what.
        ArtifactError: what is kept beside a result is damaged.
    """
    waiting: List[Sequence] = []
    for sequence in sequences:
        result, notes = result_path(out / "results", tracker, sequence.name), beside(out, tracker, sequence.name)
        if not result.is_file():
            waiting.append(sequence)
        elif not notes.is_file() or read_json(notes).get(KEY) != of_sequence(made_by, sequence):
            raise UsageError(
                f"{result} was made by other engines, under another protocol or of another sequence",
                hint="choose another --tracker or --out, or delete the results",
            )
    return waiting
