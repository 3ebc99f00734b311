"""Sequences on disk as PySOT's JSON, so that they are measured like a published data set."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from sequences.sequence import Sequence
from siamtrt import ArtifactError

_SUFFIXES = (".tag", ".label")


def as_annotations(sequences: List[Sequence], tags: Tuple[str, ...]) -> Dict[str, Any]:
    """What :func:`benchmarks.evaluation.vot.annotations.load` reads; an attribute without a file is left out.

    Raises:
        ArtifactError: the first image is unreadable, or a file of an attribute is not a 0 or 1 for each frame.
    """
    return {sequence.name: _entry(sequence, tags) for sequence in sequences}


def _entry(sequence: Sequence, tags: Tuple[str, ...]) -> Dict[str, Any]:
    height, width = sequence.frame(0).shape[:2]
    entry: Dict[str, Any] = {"width": width, "height": height, "gt_rect": [list(region) for region in sequence.regions]}
    tagged = {tag: marks(sequence, tag) for tag in tags}
    return {**entry, **{tag: values for tag, values in tagged.items() if values is not None}}


def marks(sequence: Sequence, tag: str) -> Optional[List[int]]:
    """Read an attribute, a 0 or 1 a frame, from a file beside the images or beside their folder; None without one.

    Raises:
        ArtifactError: the file is not a 0 or 1 for each frame.
    """
    images, frames = sequence.images[0].parent, len(sequence)
    for path in (folder / f"{tag}{suffix}" for folder in (images, images.parent) for suffix in _SUFFIXES):
        if path.is_file():
            words = path.read_text(encoding="utf-8", errors="replace").split()
            if len(words) != frames or set(words) - {"0", "1"}:
                raise ArtifactError(f"{path} is not a 0 or 1 for each of {frames} frames", hint="mend the attribute")
            return [int(word) for word in words]
    return None
