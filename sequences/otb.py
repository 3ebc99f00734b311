"""The layout of OTB: ``NAME/img`` and ``NAME/groundtruth_rect.txt``; LaSOT's too, which says ``groundtruth.txt``.

A folder with two objects (``groundtruth_rect.1.txt``, ``.2.txt``) is two sequences, ``NAME-1`` and ``NAME-2``.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from sequences.sequence import Readers, Sequence
from sequences.text import TRUTH, matched, read_regions
from siamtrt.files import read_json
from siamtrt.libraries.images import images_of

_RANGES = Path(__file__).with_name("otb_ranges.json")


def find(folder: Path, name: str) -> Readers:
    """The sequences of *folder*, called *name* or, where there are several, *name*``-1`` and so on."""
    truths = {f"{name}-{path.name.split('.')[1]}": path for path in folder.glob("groundtruth_rect.[1-9].txt")}
    for truth in (folder / "groundtruth_rect.txt", folder / TRUTH):
        truths = {name: truth} if truth.is_file() else truths
    if not truths:
        return {}
    images = next((folder / inner for inner in ("color", "img") if (folder / inner).is_dir()), folder)
    return {label: partial(_read, label, truths[label], images) for label in sorted(truths)}


def _read(name: str, truth: Path, folder: Path) -> Sequence:
    images, regions = images_of(folder), read_regions(truth)
    if len(images) > len(regions) > 1:  # a few of OTB's sequences are annotated in part
        first, last = read_json(_RANGES).get(truth.parent.name, (1, len(images)))
        images = images[first - 1 : last]
    return matched(name, truth, images, regions)
