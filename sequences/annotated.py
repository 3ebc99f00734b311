"""Sequences to judge a tracker on: every frame has its truth."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path, PurePath

from sequences.layouts import find_sequences
from sequences.sequence import Sequence
from siamtrt import ArtifactError, UsageError


def load_sequences(root: Path, names: tuple[str, ...] = (), *, gaps: bool = False) -> list[Sequence]:
    """Open the sequences below *root*, or only those called *names*; each goes by the last part of its path.

    Args:
        root: itself a sequence, or a folder of such at any depth.
        names: all when empty.
        gaps: allow frames whose truth is not a number, as UAV123 has them.

    Raises:
        UsageError: there is none, not one of the names, or two of one name.
        ArtifactError: images are missing, or a frame is not annotated.
    """
    readers, _ = find_sequences(root)
    by_name = {PurePath(label).name: read for label, read in readers.items()}
    if not by_name:
        raise UsageError(f"{root} holds no sequence with a truth", hint="NAME/groundtruth.txt with the images beside")
    if len(by_name) < len(readers):
        raise UsageError(f"{root} holds two sequences of one name", hint="name one of the folders in it")
    missing = [name for name in names if name not in by_name]
    if missing:
        known = ", ".join(list(by_name)[:8])
        raise UsageError(f"{root} has no sequence {', '.join(missing)}", hint=f"it has {known}")
    return [_whole(name, read(), gaps=gaps) for name, read in by_name.items() if not names or name in names]


def load_sequence(folder: Path) -> Sequence:
    """Open the one sequence of *folder*, as :func:`load_sequences` does; several raise UsageError."""
    sequences = load_sequences(folder)
    if len(sequences) != 1:
        raise UsageError(f"{folder} holds {len(sequences)} sequences, not one", hint="name the folder of one of them")
    return sequences[0]


def _whole(name: str, sequence: Sequence, *, gaps: bool) -> Sequence:
    if sequence.is_start_only:
        problem = f"{sequence.name} has {len(sequence)} images for 1 lines of truth"
        raise ArtifactError(problem, hint="it needs the box of every frame")
    for image, region in zip(sequence.images, sequence.regions):
        if not gaps and not math.isfinite(region[0]):
            raise ArtifactError(f"{image} has no truth: its region is not a number", hint="leave it out with --only")
    return replace(sequence, name=name)
