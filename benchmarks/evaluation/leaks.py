"""Engines must not be judged on what calibrated them; where a user insists, every figure says so."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Dict, Iterable, List

from sequences.sequence import Sequence
from siamtrt import Manifest, UsageError
from siamtrt.files import read_json

KEY = "leaked"

log = logging.getLogger(__name__)


def require_no_leak(engines: Path, sequences: List[Sequence], *, allowed: bool) -> List[str]:
    """The evaluated sequences that calibrated the engines; a warning where there are some.

    Raises:
        UsageError: there are some, and they are not *allowed*.
    """
    used = Manifest.load(engines, stage="engines").settings.get("calibration_sources") or []
    leaked = [sequence.name for sequence in sequences if sequence.name in used]
    if leaked and not allowed:
        raise UsageError(
            f"{engines} was calibrated on {', '.join(leaked)}, so it cannot be judged on them",
            hint="calibrate on other frames, or add --allow-leak and be warned in every run",
        )
    if leaked:
        log.warning("judged on sequences that calibrated the engines: %s", ", ".join(leaked))
    return leaked


def leaked_in(out: Path, trackers: Iterable[str], names: Iterable[str]) -> Dict[str, List[str]]:
    """Tracker -> the sequences called *names* that calibrated it, as the run in *out* noted; those with none left out.

    Args:
        out: of the run, ``OUT/times/TRACKER/NAME.json``; results from elsewhere have no such notes and no leaks.
        trackers: their names.
        names: of sequences.

    Raises:
        ArtifactError: a note is damaged.
    """
    wanted = list(names)
    found: Dict[str, List[str]] = {}
    for tracker in trackers:
        notes = [(name, out / "times" / tracker / f"{name}.json") for name in wanted]
        leaked = [name for name, path in notes if path.is_file() and read_json(path).get(KEY)]
        if leaked:
            found[tracker] = leaked
    return found


def told(leaked: Dict[str, List[str]]) -> str:
    """A line for each tracker that was judged on its own calibration; empty where none was."""
    return "".join(f"\n{tracker} was calibrated on {', '.join(names)}" for tracker, names in leaked.items())
