"""The held-out videos, below folders of any layout that :mod:`sequences` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterable, List

from sequences.layouts import open_sequences
from sequences.sequence import Sequence
from siamtrt import UsageError


def load_videos(roots: Iterable[Path], names: Iterable[str]) -> Dict[str, List[Sequence]]:
    """Open the videos called *names*, or all where a folder has none of these names, below each of *roots*.

    Returns:
        Name of the root -> its videos.

    Raises:
        UsageError: two roots have one name, or a root holds no video.
        ArtifactError: a video is damaged.
    """
    groups: Dict[str, List[Sequence]] = {}
    wanted = set(names)
    for root in roots:
        if root.name in groups:
            raise UsageError(f"two folders are called {root.name}", hint="name each folder differently")
        groups[root.name] = open_sequences(root, wanted.__contains__) or open_sequences(root)
    return groups
