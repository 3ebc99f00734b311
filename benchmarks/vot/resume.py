"""What an interrupted run has left: finished sequences are kept, if they were made by the same engines."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Dict, Optional

from benchmarks.datasets import Sequence
from benchmarks.vot.protocol import Protocol
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


def is_done(result: Path, beside: Path, made_by: Dict[str, Any]) -> bool:
    """Whether *result* is there, made as it would be made now.

    Args:
        result: written last, whole or not at all.
        beside: the file of its times, which keeps what made it.
        made_by: see :func:`of_sequence`.

    Raises:
        UsageError: it is there, but was made by other engines or rules, of another sequence, or by it is not said what.
        ArtifactError: the file of its times is damaged.
    """
    if not result.is_file():
        return False
    if not beside.is_file() or read_json(beside).get(KEY) != made_by:
        raise UsageError(
            f"{result} was made by other engines, under another protocol or of another sequence",
            hint="choose another --tracker or --out, or delete the results",
        )
    return True
