"""From the files that the steps of a bench left to one ``report.json``."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.evaluation.plan import notes_path
from benchmarks.evaluation.vot.results import result_path
from benchmarks.profiling.graph_work import title, work_of
from benchmarks.reports.cards.failures import failures
from benchmarks.reports.document import FORMAT
from benchmarks.reports.job import TRACKER, Job, truth_sha256
from sequences.rendered.command import is_rendered
from sequences.sequence import Sequence
from siamtrt import ArtifactError, GraphPrecisions, Manifest, ModelCard
from siamtrt import manifest as manifests
from siamtrt.environment import describe
from siamtrt.files import read_json, sha256


def collect(job: Job) -> None:
    """Write ``report.json`` from ``vot``, ``evaluation.json``, ``speed.json`` and ``layers.json`` beside it.

    Raises:
        ArtifactError: a part is absent or damaged.
    """
    manifest, card = Manifest.load(job.engines, stage="engines"), ModelCard.load(job.engines)
    precisions = GraphPrecisions.parse(manifest.settings["precision"])
    sizes, layers = read_json(job.truth), read_json(job.out / "layers.json")
    notes = {name: read_json(notes_path(job.out / "vot", TRACKER, name)) for name in job.names}
    document = {
        "title": title(card, manifest.settings["backend"], str(precisions)),
        "command": job.command,
        "finished_utc": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "environment": describe(),
        "manifests": paper_trail(manifest),
        "protocol": asdict(job.protocol),
        "annotations_sha256": sha256(job.truth),
        "sequences": {
            sequence.name: _run(job, sequence, notes[sequence.name], sizes[sequence.name]) for sequence in job.sequences
        },
        "measures": _measures(job.out / "evaluation.json"),
        "speed": read_json(job.out / "speed.json"),
        "layers": None if "reason" in layers else layers,
        "failures": [failure for sequence in job.sequences for failure in failures(sequence, notes[sequence.name])],
        "missing": {"layers": layers["reason"]} if "reason" in layers else {},
        "work": {name: asdict(work) for name, work in work_of(card).items()},
    }
    FORMAT.save(job.out / "report.json", document, indent=None)


def paper_trail(manifest: Manifest) -> dict[str, Any]:
    """Stage -> manifest: the given one, and those of the folders behind it that are still there and unchanged."""
    trail: dict[str, Any] = {manifest.stage: asdict(manifest)}
    waiting = dict(manifest.parents)
    while waiting:
        parent, digest = waiting.popitem()
        earlier = _beside(Path(parent), digest)
        if earlier is not None and earlier["stage"] not in trail:
            trail[earlier["stage"]] = earlier
            waiting.update(earlier["parents"])
    return trail


def _beside(parent: Path, digest: str) -> dict[str, Any] | None:
    path = parent.parent / manifests.FILE_NAME
    if not (parent.is_file() and path.is_file() and sha256(parent) == digest):
        return None
    manifest = read_json(path)
    return manifest if isinstance(manifest.get("parents"), dict) and "stage" in manifest else None


def _run(job: Job, sequence: Sequence, notes: dict[str, Any], size: dict[str, Any]) -> dict[str, Any]:
    path = result_path(job.out / "vot" / "results", TRACKER, sequence.name)
    try:
        entries = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"cannot read {path}: {error}", hint=job.command) from error
    return {
        "frames": len(sequence),
        "width_px": size["width"],
        "height_px": size["height"],
        "truth_sha256": truth_sha256(sequence),
        "leaked": bool(notes.get("leaked")),
        "entries": entries,
        "rendered": is_rendered(sequence),
    }


def _measures(path: Path) -> dict[str, Any]:
    try:
        measures: dict[str, Any] = read_json(path)["trackers"][TRACKER]
    except KeyError as error:
        raise ArtifactError(f"{path} has no measures of this bench", hint="delete it and run the bench anew") from error
    return measures
