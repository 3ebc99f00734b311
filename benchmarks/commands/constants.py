"""``python -m benchmarks constants``: search the tracker's three constants on held-out videos.

Every setting and what came of it is written down, and a search that is run again goes on where it stopped.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from benchmarks.evaluation.held_out.constants import outcome, proposal
from benchmarks.evaluation.held_out.videos import declare_videos, load_videos
from benchmarks.evaluation.options import declare
from siamtrt import Manifest, ModelCard, UsageError, cli, documents
from siamtrt.files import read_json

_SHOWN = 5

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    declare(parser, "engines", required=("engines",))
    declare_videos(parser)
    parser.add_argument("--settings", type=cli.count, default=40, help="how many are tried in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="a JSON file with every setting; rerun to go on")
    cli.add_json(parser)


def main(options: argparse.Namespace) -> None:
    """Try settings, write each, and print the best."""
    groups = load_videos(options.videos, options.held_out)
    published = ModelCard.load(options.engines).tracker
    begun_with = {
        "engines": Manifest.load(options.engines, stage="engines").files,
        "seed": options.seed,
        "videos": {group: {video.name: video.digest for video in videos} for group, videos in groups.items()},
    }
    document = _begun(options.out, begun_with)
    tried: list[dict[str, Any]] = document["tried"]
    while len(tried) < options.settings:
        values = proposal(tried, published, options.settings, options.seed)
        tried.append({"values": values, **outcome(options.engines, published, values, groups, options.threads)})
        documents.write(options.out, document)
        log.info("%d of %d: %s, %.4f", len(tried), options.settings, _text(values), tried[-1]["worth"])
    best = sorted(tried, key=lambda entry: -entry["worth"])[:_SHOWN]
    cli.show(options, "\n".join(f"{entry['worth']:.4f}  {_text(entry['values'])}" for entry in best), best)


def _begun(path: Path, begun_with: dict[str, Any]) -> dict[str, Any]:
    """What an earlier search has tried, or an empty list, with what decides about a search.

    Raises:
        UsageError: the file is of other engines, videos or another seed.
    """
    if not path.is_file():
        return {**begun_with, "tried": []}
    document = read_json(path)
    differing = [name for name, value in begun_with.items() if document.get(name) != value]
    if differing:
        raise UsageError(f"{path} is a search with other {' and '.join(differing)}", hint="choose another --out")
    return document


def _text(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())
