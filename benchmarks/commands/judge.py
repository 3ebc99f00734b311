"""``python -m benchmarks judge``: models side by side on held-out videos, tracked from their first frame to the end."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.evaluation.held_out.runs import ChosenTracker, run_videos, summary, worth
from benchmarks.evaluation.held_out.videos import declare_videos, load_videos
from benchmarks.evaluation.leaks import KEY, require_no_leak, told_leak
from benchmarks.evaluation.options import declare
from sequences.sequence import Sequence
from siamtrt import Manifest, ModelCard, UsageError, cli, documents
from siamtrt.environment import describe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", type=Path, nargs="+", required=True, help="folders written by python -m engines")
    declare_videos(parser)
    declare(parser, "allow_leak")
    parser.add_argument("--out", type=Path, required=True, help="a JSON file with the overlap of every frame")
    cli.add_json(parser)


def main(options: argparse.Namespace) -> None:
    """Track, write every overlap, and print a table."""
    groups = load_videos(options.videos, options.held_out)
    videos = [video for group in groups.values() for video in group]
    leaks = {engines: require_no_leak(engines, videos, allowed=options.allow_leak) for engines in options.models}
    document: dict[str, Any] = {
        "command": cli.command_line("benchmarks"),
        "environment": describe(),
        "engines_manifest": {"files": {}},
        "models": {},
    }
    for engines in options.models:
        name = _name(engines)
        if name in document["models"]:
            raise UsageError(f"{name} is named twice", hint="name folders of different engines")
        files = Manifest.load(engines, stage="engines").files
        document["engines_manifest"]["files"].update({f"{name}: {file}": digest for file, digest in files.items()})
        document["models"][name] = _judge(engines, groups, options.threads)
        if leaks[engines]:
            document["models"][name][KEY] = leaks[engines]
        documents.write(options.out, document, indent=None)
    cli.show(options, table(document, list(groups)), document)


def table(document: dict[str, Any], groups: list[str]) -> str:
    """Success, overlap and losses of each folder of videos, a line a model, the best first; then who leaked."""
    heads = [f"{group[:20]:>20} {'overlap':>7} {'losses':>6}" for group in groups]
    lines = [f"{'success AUC':40} {'all':>6} " + " ".join(heads)]
    for name, model in sorted(document["models"].items(), key=lambda item: -item[1]["worth"]):
        cells = [
            f"{row['success_auc']:20.3f} {row['overlap']:7.3f} {row['losses']:6d}"
            for row in (model["groups"][group] for group in groups)
        ]
        lines.append(f"{name:40} {model['worth']:6.3f} " + " ".join(cells))
    leaked = {name: model[KEY] for name, model in document["models"].items() if KEY in model}
    lines += [told_leak(name, names) for name, names in leaked.items()]
    return "\n".join(lines)


def _judge(engines: Path, groups: dict[str, list[Sequence]], threads: int | None) -> dict[str, Any]:
    tracker = ChosenTracker(engines, None, threads)
    try:
        runs = run_videos(tracker, groups)
    finally:
        tracker.close()
    card = ModelCard.load(engines)
    return {
        "checkpoint_sha256": card.checkpoint_sha256,
        "constants": asdict(card.tracker),
        "worth": worth(runs),
        "groups": {group: asdict(summary(rows)) for group, rows in runs.items()},
        "videos": {group: {name: asdict(row) for name, row in rows.items()} for group, rows in runs.items()},
    }


def _name(engines: Path) -> str:
    """The model and the kind of engine; engines of one model lie in folders of different names."""
    return "/".join(engines.resolve().parts[-3:])
