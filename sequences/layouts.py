"""Open the videos of a folder, at any depth, whatever layouts they have; each layout has a file of its own."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Callable

from sequences import boxes_json, got10k, masks, otb, pysot_json, video, vot
from sequences.frames import VIDEO_SUFFIXES
from sequences.sequence import Readers, Sequence
from sequences.text import TRUTH
from siamtrt import ArtifactError, UsageError
from siamtrt.libraries.images import images_of

_LAYOUTS = (boxes_json, vot, got10k, otb, masks, pysot_json)
_HINT = (
    f"NAME/{TRUTH} beside images (or in color, or img; OTB: groundtruth_rect.txt), NAME/{boxes_json.FILE_NAME}, "
    "images with masks of the same names, or clip.mp4 with clip.txt"
)


def open_sequences(
    root: Path, wanted: Callable[[str], bool] = lambda _: True, *, unlabelled_ok: bool = True
) -> list[Sequence]:
    """Open every sequence below *root* in the order of the folders' names, or of ``list.txt`` where there is one.

    Args:
        root: itself a sequence, or a folder of such at any depth.
        wanted: chooses by name; the others are not read.
        unlabelled_ok: leave out what has no box, without a word.

    Raises:
        UsageError: there is no sequence, or a video without a box.
        ArtifactError: a truth or a video is damaged.
    """
    sequences, unlabelled = find_sequences(root)
    for name, file in unlabelled.items():
        if not unlabelled_ok:
            hint = f"write x,y,w,h of the object in its first frame to {file}"
            raise UsageError(f"{root}: {name} has no box", hint=hint)
    return [read() for name, read in sequences.items() if wanted(name)]


def names_of(label: str) -> set[str]:
    """What a sequence may be chosen or held out by: its name, and any part of that, for it may lie in folders."""
    return {label, *PurePath(label).parts}


def find_sequences(root: Path) -> tuple[Readers, dict[str, Path]]:
    """Find what *root* holds: the sequences, to be read; and what has no box -> the file to write its first box to.

    Raises:
        UsageError: no such folder, or no video or image in it.
        ArtifactError: a list of sequences is damaged, or names one that is not there.
    """
    sequences: dict[str, Callable[[], Sequence]] = {}
    unlabelled: dict[str, Path] = {}

    def find(folder: Path, name: str, prefix: str) -> None:
        labelled = _labelled(folder, name)
        sequences.update(labelled)
        if labelled:
            return
        if images_of(folder):
            unlabelled[name] = folder / TRUTH
        for path in _below(folder):
            label = f"{prefix}{path.name}"
            if path.is_dir():
                find(path, label, f"{label}/")
            elif path.suffix.lower() in VIDEO_SUFFIXES:
                sequences.update(video.find(path, label))
                if label not in sequences:
                    unlabelled[label] = path.with_suffix(".txt")

    if root.is_dir():
        find(root, root.resolve().name, "")
    if not sequences and not unlabelled:
        raise UsageError(f"{root} holds no sequence", hint=_HINT)
    return sequences, unlabelled


def _labelled(folder: Path, name: str) -> Readers:
    try:
        return next((sequences for layout in _LAYOUTS if (sequences := layout.find(folder, name))), {})
    except ArtifactError as error:
        raise ArtifactError(error.problem, hint=error.hint or "mend the file, or fetch it anew") from error


def _below(folder: Path) -> list[Path]:
    listed = vot.listed(folder)
    for path in listed:
        if not path.is_dir() or not _labelled(path, path.name):
            problem = f"{folder / vot.LIST} names {path.name}, which has no truth"
            raise ArtifactError(problem, hint="fetch the sequence anew")
    return listed or sorted(path for path in folder.iterdir() if path.name[0] != ".")
