"""Open the videos of a folder, at any depth, whatever layouts they have; each layout has a file of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
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


@dataclass(frozen=True)
class Videos:
    """What a folder holds.

    Attributes:
        sequences: what has a box; read when it is asked for.
        unlabelled: what has none -> the file to write its first box to.
    """

    sequences: dict[str, Callable[[], Sequence]] = field(default_factory=dict)
    unlabelled: dict[str, Path] = field(default_factory=dict)


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
    videos = find_sequences(root)
    for name, file in videos.unlabelled.items():
        if not unlabelled_ok:
            raise UsageError(
                f"{root}: {name} has no box", hint=f"write x,y,w,h of the object in its first frame to {file}"
            )
    return [read() for name, read in videos.sequences.items() if wanted(name)]


def find_sequences(root: Path) -> Videos:
    """Find what *root* holds, without reading it.

    Raises:
        UsageError: no such folder, or no sequence in it.
        ArtifactError: a list of sequences is damaged, or names one that is not there.
    """
    if not root.is_dir():
        raise UsageError(f"{root} holds no sequence: there is no such folder", hint=_HINT)
    videos = Videos()
    _find(root, root.resolve().name, "", videos)
    if not videos.sequences and not videos.unlabelled:
        raise UsageError(f"{root} holds no sequence", hint=_HINT)
    return videos


def _find(folder: Path, name: str, prefix: str, videos: Videos) -> None:
    """Add what *folder* holds; *prefix* begins the names of what lies below it."""
    sequences = _labelled(folder, name)
    if sequences:
        videos.sequences.update(sequences)
        return
    if images_of(folder):
        videos.unlabelled[name] = folder / TRUTH
    for path in _below(folder):
        label = f"{prefix}{path.name}"
        if path.is_dir():
            _find(path, label, f"{label}/", videos)
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            videos.sequences.update(video.find(path, label))
            if label not in videos.sequences:
                videos.unlabelled[label] = video.truth_of(path)


def _labelled(folder: Path, name: str) -> Readers:
    return next((sequences for layout in _LAYOUTS if (sequences := layout.find(folder, name))), {})


def _below(folder: Path) -> list[Path]:
    listed = vot.listed(folder)
    if listed is None:
        return sorted(path for path in folder.iterdir() if path.name[0] != ".")
    for path in listed:
        if not path.is_dir() or not _labelled(path, path.name):
            raise ArtifactError(
                f"{folder / vot.LIST} names {path.name}, which has no truth", hint="fetch the sequence anew"
            )
    return listed
