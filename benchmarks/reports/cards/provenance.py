"""What the figures come from: machine, commands, digests."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import fields
from pathlib import PurePosixPath
from typing import Any, Iterator, Mapping

from benchmarks.reports.document import Report
from benchmarks.reports.drawing import page
from siamtrt import documents

_MOST_FILES = 8


def provenance(report: Report) -> list[str]:
    """Cards: the machine and its state, and the chain of manifests."""
    return [_machine(report), _chain(report)]


def _machine(report: Report) -> str:
    rows = [[name.replace("_", " "), _words(value)] for name, value in report.environment.items()]
    seen, unseen = report.speed.conditions, []
    if seen:
        for name in (field.name for field in fields(seen) if field.name != "reasons"):
            value, words = getattr(seen, name), name.replace("_", " ")
            if value is None:
                unseen.append(f"{words}: {seen.reasons.get(name, 'not known')}")
            else:
                rows.append([f"seen: {words}", _words(value)])
    folded = page.folded(f"{len(unseen)} conditions that this machine does not show", unseen)
    return page.card("Machine", page.table([], rows, look="words") + folded, width="wide")


def _chain(report: Report) -> str:
    rows = [["this report", report.command], ["annotations", f"sha256 {report.annotations_sha256}"]]
    for stage, manifest in report.manifests.items():
        rows.append([stage, manifest["command"]])
        rows += [[f"{stage}: {name}", f"sha256 {digest}"] for name, digest in _digests(manifest["files"])]
        rows.append([f"{stage}: settings", _words(manifest["settings"])])
    note = "Every raw result, time, reading and digest behind this page stands in report.json beside it."
    return page.card("Paper trail", page.table([], rows, look="words"), note=note, width="wide")


def _digests(files: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """A digest for each file; one for all of a kind where a folder holds many of them, such as calibration crops."""
    kinds: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for name, digest in files.items():
        path = PurePosixPath(name)
        kinds[str(path.parent), path.suffix][name] = digest
    for (folder, suffix), of_a_kind in kinds.items():
        if len(of_a_kind) > _MOST_FILES:
            yield f"{folder}/*{suffix}", f"{documents.digest(of_a_kind)} of the digests of {len(of_a_kind):,} files"
        else:
            yield from of_a_kind.items()


def _words(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(entry)}" for name, entry in value.items()) or "-"
    if isinstance(value, tuple) and all(isinstance(entry, str) for entry in value):
        return "; ".join(value) or "no"
    if isinstance(value, (list, tuple)):
        return " to ".join(f"{entry:,.0f}" for entry in value) if len(value) == 2 else json.dumps(value)
    return str(value)
