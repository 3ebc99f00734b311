"""What the figures come from: machine, commands, digests."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from benchmarks.reports.document import Report
from benchmarks.reports.drawing import page


def provenance(report: Report) -> list[str]:
    """Cards: the machine and its state, and the chain of manifests."""
    return [_machine(report), _chain(report)]


def _machine(report: Report) -> str:
    rows = [[name.replace("_", " "), _words(value)] for name, value in report.environment.items()]
    seen = report.speed.conditions
    if seen:
        for name in (field.name for field in fields(seen) if field.name != "reasons"):
            value = getattr(seen, name)
            rows.append([f"seen: {name.replace('_', ' ')}", _words(seen.reasons.get(name) if value is None else value)])
    return page.card("Machine", page.table([], rows, look="words"), width="wide")


def _chain(report: Report) -> str:
    rows = [["this report", report.command], ["annotations", f"sha256 {report.annotations_sha256}"]]
    for stage, manifest in report.manifests.items():
        rows.append([stage, manifest["command"]])
        rows += [[f"{stage}: {name}", f"sha256 {digest}"] for name, digest in manifest["files"].items()]
        rows.append([f"{stage}: settings", _words(manifest["settings"])])
    note = "Every raw result, time and reading behind this page stands in report.json beside it."
    return page.card("Paper trail", page.table([], rows, look="words"), note=note, width="wide")


def _words(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(entry)}" for name, entry in value.items()) or "-"
    if isinstance(value, (list, tuple)):
        return " to ".join(f"{entry:,.0f}" for entry in value) if len(value) == 2 else json.dumps(value)
    return str(value)
