"""PySOT's layout of a test set: ``VOT2018/VOT2018.json`` names, for each sequence, its images and regions.

It counts where the folders of the sequences have no text file of truth, which would be the original.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from sequences.sequence import Readers, Sequence
from sequences.text import matched, read_table, region
from siamtrt import ArtifactError


def find(folder: Path, name: str) -> Readers:
    """The sequences of *folder*, called *name*``/SEQUENCE``; none where it has another layout.

    Raises:
        ArtifactError: the file is damaged.
    """
    path = folder / f"{folder.resolve().name}.json"
    if not path.is_file() or next(folder.glob("*/groundtruth*.txt"), None):
        return {}
    labels = {sequence: f"{name}/{sequence}" for sequence in read_table(path)}
    return {label: partial(_read, label, path, sequence) for sequence, label in labels.items()}


def _read(name: str, path: Path, sequence: str) -> Sequence:
    entry: Any = read_table(path)[sequence]
    try:
        images, boxes = [path.parent / image for image in entry["img_names"]], list(entry["gt_rect"])
    except (KeyError, TypeError) as error:
        raise ArtifactError(
            f"{path}: {sequence} has no list {error}", hint="is it PySOT's JSON of a test set?"
        ) from error
    regions = tuple(region(box, f"{path}, {sequence}, frame {index}") for index, box in enumerate(boxes, start=1))
    missing = next((image for image in images if not image.is_file()), None)
    if missing:
        raise ArtifactError(f"{path} names {missing}, which is not there", hint="fetch the images of the test set")
    return matched(name, path, images, regions)
