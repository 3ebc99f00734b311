"""The held-out videos, below folders of any layout that :mod:`sequences` reads."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from benchmarks.evaluation.options import declare
from sequences.layouts import open_sequences
from sequences.sequence import Sequence
from siamtrt import UsageError


def declare_videos(parser: argparse.ArgumentParser) -> None:
    """Declare which videos are tracked, and how."""
    parser.add_argument("--videos", type=Path, nargs="+", required=True, help="folders of videos, of any layout")
    parser.add_argument("--held-out", nargs="+", default=[], help="their names; of a folder with none of them, all are")
    declare(parser, "threads")


def load_videos(roots: Iterable[Path], names: Iterable[str]) -> dict[str, list[Sequence]]:
    """Open the videos called *names*, or all where a folder has none of these names, below each of *roots*.

    Returns:
        Name of the root -> its videos.

    Raises:
        UsageError: two roots have one name, or a root holds no video.
        ArtifactError: a video is damaged.
    """
    groups: dict[str, list[Sequence]] = {}
    wanted = set(names)
    for root in roots:
        if root.name in groups:
            raise UsageError(f"two folders are called {root.name}", hint="name each folder differently")
        groups[root.name] = open_sequences(root, wanted.__contains__) or open_sequences(root)
    return groups
