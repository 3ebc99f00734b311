"""From the files that the steps of a bench left to one ``report.json``."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Optional

from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.evaluation.vot.results import result_path
from benchmarks.reports.cards.failures import failures
from benchmarks.reports.document import KIND, SCHEMA
from benchmarks.reports.job import Job, truth_sha256
from sequences.sequence import Sequence
from siamtrt import ArtifactError, GraphPrecisions, Manifest, ModelCard
from siamtrt import manifest as manifests
from siamtrt.environment import describe
from siamtrt.files import read_json, sha256, write_text

TRACKER = "tracker"  # the name of the results within a bench; the report says what it is


def collect(job: Job) -> None:
    """Write ``report.json`` from ``vot``, ``evaluation.json``, ``speed.json`` and ``layers.json`` beside it.

    Raises:
        ArtifactError: a part is absent or damaged.
    """
    manifest, card = Manifest.load(job.engines, stage="engines"), ModelCard.load(job.engines)
    precisions = GraphPrecisions.parse(manifest.settings["precision"])
    sizes, layers = read_json(job.truth), read_json(job.out / "layers.json")
    besides = {name: read_json(job.out / "vot" / "times" / TRACKER / f"{name}.json") for name in job.names}
    document = {
        "schema": SCHEMA,
        "kind": KIND,
        "title": f"{card.name} {manifest.settings['backend']} {precisions.label}",
        "command": job.command,
        "finished_utc": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "environment": describe(),
        "manifests": chain(manifest),
        "protocol": asdict(Protocol.load(job.protocol)),
        "annotations_sha256": sha256(job.truth),
        "sequences": {
            sequence.name: _run(job, sequence, besides[sequence.name], sizes[sequence.name])
            for sequence in job.sequences
        },
        "measures": _measures(job.out / "evaluation.json"),
        "speed": read_json(job.out / "speed.json"),
        "layers": None if "reason" in layers else layers,
        "failures": [found for sequence in job.sequences for found in failures(sequence, besides[sequence.name])],
        "missing": {"layers": layers["reason"]} if "reason" in layers else {},
    }
    write_text(job.out / "report.json", json.dumps(document, allow_nan=False) + "\n")


def chain(manifest: Manifest) -> Dict[str, Any]:
    """Stage -> manifest: the given one, and those of the folders behind it that are still there and unchanged."""
    found: Dict[str, Any] = {manifest.stage: asdict(manifest)}
    waiting = dict(manifest.parents)
    while waiting:
        parent, digest = waiting.popitem()
        left = _beside(Path(parent), digest)
        if left is not None and left["stage"] not in found:
            found[left["stage"]] = left
            waiting.update(left["parents"])
    return found


def _beside(parent: Path, digest: str) -> Optional[Dict[str, Any]]:
    path = parent.parent / manifests.FILE_NAME
    if not (parent.is_file() and path.is_file() and sha256(parent) == digest):
        return None
    left = read_json(path)
    return left if isinstance(left.get("parents"), dict) and "stage" in left else None


def _run(job: Job, sequence: Sequence, beside: Dict[str, Any], size: Dict[str, Any]) -> Dict[str, Any]:
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
        "leaked": bool(beside.get("leaked")),
        "entries": entries,
    }


def _measures(path: Path) -> Dict[str, Any]:
    try:
        measures: Dict[str, Any] = read_json(path)["trackers"][TRACKER]
    except KeyError as error:
        raise ArtifactError(f"{path} has no measures of this bench", hint="delete it and run the bench anew") from error
    return measures
