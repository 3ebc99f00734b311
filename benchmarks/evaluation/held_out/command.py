"""``python -m benchmarks judge``: models side by side on held-out videos, tracked from their first frame to the end."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, List

from benchmarks.evaluation.held_out.runs import ChosenFollower, run_videos, summary, worth
from benchmarks.evaluation.held_out.videos import load_videos
from sequences.sequence import Sequence
from siamtrt import Manifest, ModelCard, UsageError, cli
from siamtrt.files import write_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--engines", type=Path, nargs="+", required=True, help="folders written by python -m engines")
    add_video_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="a JSON file with the overlap of every frame")


def add_video_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which videos are tracked."""
    parser.add_argument(
        "--sequences",
        type=Path,
        nargs="+",
        required=True,
        help="folders of NAME/groundtruth.txt, or of NAME/*.png masks",
    )
    parser.add_argument(
        "--only", nargs="+", default=[], help="the held-out names; a folder with none of them is all held out"
    )
    parser.add_argument("--threads", type=cli.count, default=1)


def main(options: argparse.Namespace) -> None:
    """Track, write every overlap, and print a table."""
    groups = load_videos(options.sequences, options.only)
    document: Dict[str, Any] = {"models": {}}
    for engines in options.engines:
        name = _name(engines)
        if name in document["models"]:
            raise UsageError(f"{name} is named twice", hint="name folders of different engines")
        document["models"][name] = _judge(engines, groups, options.threads)
        write_text(options.out, json.dumps(document, indent=1) + "\n")
    print(table(document, list(groups)))  # noqa: T201


def table(document: Dict[str, Any], groups: List[str]) -> str:
    """Success, overlap and losses of each folder of videos, a line a model, the best first."""
    heads = [f"{group[:20]:>20} {'overlap':>7} {'losses':>6}" for group in groups]
    lines = [f"{'success AUC':40} {'all':>6} " + " ".join(heads)]
    for name, model in sorted(document["models"].items(), key=lambda item: -item[1]["worth"]):
        cells = [
            f"{row['success_auc']:20.3f} {row['overlap']:7.3f} {row['losses']:6d}"
            for row in (model["groups"][group] for group in groups)
        ]
        lines.append(f"{name:40} {model['worth']:6.3f} " + " ".join(cells))
    return "\n".join(lines)


def _judge(engines: Path, groups: Dict[str, List[Sequence]], threads: int) -> Dict[str, Any]:
    follower = ChosenFollower(engines, None, threads)
    try:
        runs = run_videos(follower, groups)
    finally:
        follower.close()
    return {
        "engines": Manifest.load(engines, stage="engines").files,
        "constants": asdict(ModelCard.load(engines).tracker),
        "worth": worth(runs),
        "groups": {group: asdict(summary(rows)) for group, rows in runs.items()},
        "videos": {group: {name: asdict(row) for name, row in rows.items()} for group, rows in runs.items()},
    }


def _name(engines: Path) -> str:
    """The model and the kind of engine; engines of one model lie in folders of different names."""
    return "/".join(engines.resolve().parts[-3:])
