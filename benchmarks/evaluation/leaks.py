"""Engines must not be judged on what calibrated or pruned them; where a user insists, every figure says so."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any, Iterable, Mapping

from sequences.sequence import Sequence
from siamtrt import Manifest, ModelCard, UsageError, documents
from siamtrt.files import read_json

KEY = "leaked"

log = logging.getLogger(__name__)


def require_no_leak(engines: Path, sequences: list[Sequence], *, allowed: bool) -> list[str]:
    """The evaluated sequences that calibrated or pruned the engines; a warning where there are some.

    Raises:
        UsageError: there are some, and they are not *allowed*.
    """
    used = Manifest.load(engines, stage="engines").settings.get("calibration_sources") or []
    calibrated = [sequence.name for sequence in sequences if sequence.name in used]
    if calibrated and not allowed:
        raise UsageError(
            f"{engines} was calibrated on {', '.join(calibrated)}, so it cannot be judged on them",
            hint="calibrate on other frames, or add --allow-leak and be warned in every run",
        )
    pruned = [sequence.name for sequence in sequences if sequence.name in ModelCard.load(engines).sources]
    if pruned and not allowed:
        raise UsageError(
            f"{engines} was pruned on {', '.join(pruned)}, so it cannot be judged on them",
            hint="hold them out of the pruning, or add --allow-leak and be warned in every run",
        )
    leaked = [sequence.name for sequence in sequences if sequence.name in {*calibrated, *pruned}]
    if leaked:
        log.warning("judged on sequences that calibrated or pruned the engines: %s", ", ".join(leaked))
    return leaked


def leaked_in(out: Path, trackers: Iterable[str], names: Iterable[str]) -> dict[str, list[str]]:
    """Tracker -> the sequences called *names* that calibrated it, as the run in *out* noted; those with none left out.

    Args:
        out: of the run, ``OUT/times/TRACKER/NAME.json``; results from elsewhere have no such notes and no leaks.
        trackers: their names.
        names: of sequences.

    Raises:
        ArtifactError: a note is damaged.
    """
    wanted, leaks = list(names), {}
    for tracker in trackers:
        notes = [(name, out / "times" / tracker / f"{name}.json") for name in wanted]
        leaked = [name for name, path in notes if path.is_file() and read_json(path).get(KEY)]
        if leaked:
            leaks[tracker] = leaked
    return leaks


def conclude(measures: Mapping[str, Any], protocol: str, run: Path, names: Iterable[str], path: Path | None) -> str:
    """Write the measures of trackers to *path*, if it is named, with the leaks on sequences called *names*.

    Args:
        measures: tracker -> dataclass of its figures.
        protocol: name of the one they follow.
        run: see *out* of :func:`leaked_in`.
        names: of the sequences.
        path: of a JSON file.

    Returns:
        A line for each tracker that was judged on what made it; empty where none was.
    """
    leaked = leaked_in(run, measures, names)
    if path:
        trackers = {name: asdict(entry) for name, entry in measures.items()}
        documents.write(path, {"protocol": protocol, "trackers": trackers, **({KEY: leaked} if leaked else {})})
    return "".join(f"\n{told_leak(tracker, names)}" for tracker, names in leaked.items())


def told_leak(tracker: str, names: Iterable[str]) -> str:
    """A line that says which of the judged sequences made *tracker*."""
    return f"{tracker} was calibrated or pruned on {', '.join(names)}"
