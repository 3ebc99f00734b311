"""The held-out videos: folders with a truth in text, and folders with a mask beside each image."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterable, List, Tuple

import cv2
import numpy as np

from sequences.datasets import Sequence, load_sequences
from siamtrt import ArtifactError, UsageError

_NO_BOX = (float("nan"),) * 4


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
        videos = _videos_of(root)
        groups[root.name] = [video for video in videos if video.name in wanted] or videos
    return groups


def _videos_of(root: Path) -> List[Sequence]:
    masked = [folder for folder in sorted(root.iterdir()) if next(folder.glob("*.png"), None)] if root.is_dir() else []
    return [_masked(folder) for folder in masked] if masked else load_sequences(root, gaps=True)


def _masked(folder: Path) -> Sequence:
    pairs = [(image, image.with_suffix(".png")) for image in sorted(folder.glob("*.jpg"))]
    known = [(image, mask) for image, mask in pairs if mask.is_file()]
    return Sequence(folder.name, tuple(image for image, _ in known), tuple(_extent(mask) for _, mask in known))


def _extent(path: Path) -> Tuple[float, ...]:
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise ArtifactError(f"{path} is not a readable mask", hint="remove it and its image")
    x, y, width, height = cv2.boundingRect((mask > 0).astype(np.uint8))
    return (float(x), float(y), float(width), float(height)) if width else _NO_BOX
