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

_TRUTHS = (TRUTH, "groundtruth_rect.txt")
_NUMBERED_TRUTHS = "groundtruth_rect.[1-9].txt"
_RANGES = Path(__file__).with_name("otb_ranges.json")


def find(folder: Path, name: str) -> Readers:
    """The sequences of *folder*, called *name* or, where there are several, *name*``-1`` and so on."""
    images = next((folder / inner for inner in ("color", "img") if (folder / inner).is_dir()), folder)
    truth = next((folder / truth for truth in _TRUTHS if (folder / truth).is_file()), None)
    if truth:
        return {name: partial(_read, name, truth, images)}
    numbered = {f"{name}-{path.name.split('.')[1]}": path for path in sorted(folder.glob(_NUMBERED_TRUTHS))}
    return {label: partial(_read, label, path, images) for label, path in numbered.items()}


def _read(name: str, truth: Path, folder: Path) -> Sequence:
    images, regions = images_of(folder), read_regions(truth)
    if len(images) > len(regions) > 1:  # a few of OTB's sequences are annotated in part
        first, last = read_json(_RANGES).get(Path(name).name, (1, len(images)))
        images = images[first - 1 : last]
    return matched(name, truth, images, regions)
