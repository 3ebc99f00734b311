"""The held-out videos, below folders of any layout that :mod:`sequences` reads."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from benchmarks.evaluation.options import declare
from sequences.layouts import names_of, open_sequences
from sequences.sequence import Sequence
from sequences.text import TRUTH
from siamtrt import UsageError


def declare_videos(parser: argparse.ArgumentParser) -> None:
    """Declare which videos are tracked, and how."""
    parser.add_argument("--videos", type=Path, nargs="+", required=True, help="folders of videos, of any layout")
    parser.add_argument("--held-out", nargs="+", default=[], help="their names; of a folder with none of them, all are")
    declare(parser, "threads")


def load_videos(roots: Iterable[Path], names: Iterable[str]) -> dict[str, list[Sequence]]:
    """Open the videos called *names*, or all where a folder has none of these names, below each of *roots*.

    Args:
        roots: folders of any layout.
        names: of videos, or of folders that they lie in; training holds out by the same.

    Returns:
        Name of the root -> its videos.

    Raises:
        UsageError: two roots have one name, none has one of *names*, or a root holds no video with a truth to judge by.
        ArtifactError: a video is damaged.
    """
    groups: dict[str, list[Sequence]] = {}
    wanted, missing = set(names), set(names)
    for root in roots:
        if root.name in groups:
            raise UsageError(f"two folders are called {root.name}", hint="name each folder differently")
        held = open_sequences(root, lambda label: not names_of(label).isdisjoint(wanted))
        missing.difference_update(*(names_of(video.name) for video in held))
        groups[root.name] = [_with_truth(video) for video in held or open_sequences(root)]
        if not groups[root.name]:
            hint = f"a line x,y,w,h for each frame in NAME/{TRUTH}, or another folder"
            raise UsageError(f"{root} holds no video with a truth", hint=hint)
    if missing:  # a misspelt name would bring in videos that were trained on
        raise UsageError(f"none of the folders has the held-out {', '.join(sorted(missing))}", hint="check --held-out")
    return groups


def _with_truth(video: Sequence) -> Sequence:
    if video.is_start_only:
        problem = f"{video.name} has {len(video)} frames and one line of truth, so a tracker cannot be judged on it"
        raise UsageError(
            problem, hint="write the box of every frame, or leave it out with --held-out NAMES of the others"
        )
    return video
