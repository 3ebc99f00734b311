"""A folder with ``boxes.json``: image -> x, y, width, height or a list of such; images may lie in subfolders.

The images of a subfolder that have one box each show one object. Every other box is an object of its own.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from sequences.sequence import Readers, Region, Sequence
from sequences.text import region
from siamtrt import ArtifactError
from siamtrt.files import read_json

FILE_NAME = "boxes.json"


def find(folder: Path, name: str) -> Readers:
    """The objects of *folder*: *name*``/SUBFOLDER``, *name*``/IMAGE``, or *name*``/IMAGE-1`` and so on.

    Raises:
        ArtifactError: the file is no JSON object, a region is not 4 or 8 numbers, or an image is not there.
    """
    path = folder / FILE_NAME
    objects: dict[str, list[tuple[Path, Region]]] = {}
    for image, boxes in sorted(read_json(path).items()) if path.is_file() else ():
        if not (folder / image).is_file():
            raise ArtifactError(f"{path} names {image}, which is not there", hint="remove its entry")
        for label, box in _labelled(image, boxes):
            objects.setdefault(f"{name}/{label}", []).append((folder / image, region(box, f"{path}, {image}")))
    return {label: partial(_sequence, label, name, views) for label, views in objects.items()}


def _labelled(image: str, boxes: Any) -> list[tuple[str, Any]]:
    """The name of each object in an image, and its box."""
    if isinstance(boxes, list) and all(isinstance(box, list) for box in boxes):
        return [(f"{image}-{number}", box) for number, box in enumerate(boxes, start=1)]
    return [(image.rsplit("/", 1)[0] if "/" in image else image, boxes)]


def _sequence(label: str, source: str, views: list[tuple[Path, Region]]) -> Sequence:
    images, regions = zip(*views)
    return Sequence(label, images, regions, source)
