"""PySOT's layout of a test set: ``VOT2018/VOT2018.json`` names, for each sequence, its images and regions.

It counts where the folders of the sequences have no text file of truth, which would be the original.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from sequences.sequence import Readers, Sequence
from sequences.text import matched, region
from siamtrt import ArtifactError
from siamtrt.files import read_json


def find(folder: Path, name: str) -> Readers:
    """The sequences of *folder*, called *name*``/SEQUENCE``; none where it has another layout."""
    path = folder / f"{folder.resolve().name}.json"
    if not path.is_file() or next(folder.glob("*/groundtruth*.txt"), None):
        return {}
    try:
        document = read_json(path)
    except ArtifactError:
        return {}  # another layout's file of this name
    if not any(isinstance(entry, dict) and {"img_names", "gt_rect"} & set(entry) for entry in document.values()):
        return {}
    return {f"{name}/{label}": partial(_read, f"{name}/{label}", path, entry) for label, entry in document.items()}


def _read(name: str, path: Path, entry: Any) -> Sequence:
    try:
        images, boxes = [path.parent / image for image in entry["img_names"]], list(entry["gt_rect"])
    except (KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: {name} has no list {error}", hint="fetch PySOT's JSON anew") from error
    missing = next((image for image in images if not image.is_file()), None)
    if missing:
        raise ArtifactError(f"{path} names {missing}, which is not there", hint="fetch the images of the test set")
    regions = (region(box, f"{path}, {name}, frame {index}") for index, box in enumerate(boxes, start=1))
    return matched(name, path, images, tuple(regions))
