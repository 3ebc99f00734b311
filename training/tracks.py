"""Objects of the large public data sets, as their folders are published: one object in the frames that show it.

GOT-10k and LaSOT have a text file of boxes beside the images, which :mod:`sequences` reads; COCO has one JSON file for
all images, ImageNet VID an XML file for each frame.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from sequences.layouts import open_sequences
from sequences.sequence import Sequence
from siamtrt import ArtifactError, BoundingBox, UsageError

_VID_IMAGES, _VID_BOXES = Path("Data/VID"), Path("Annotations/VID")
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_ALL = "all"  # of LaSOT: its published folders do not tell training from test
_XML_BYTES = 1_000_000  # far beyond every annotation; the parser is not given more


@dataclass(frozen=True)
class Track:
    """One object.

    Attributes:
        name: a folder name that no other object has.
        frames: image and box, in the order of time.
    """

    name: str
    frames: tuple[tuple[Path, BoundingBox], ...]


def got10k(root: Path, split: str) -> Iterator[Track]:
    """The videos of ``ROOT/SPLIT/GOT-10k_Train_000001``; frames in which the object is absent are left out."""
    for sequence in open_sequences(root / split):
        absent = _flags(sequence.images[0].parent / "absence.label", len(sequence))
        yield _track(sequence.name, sequence, absent)


def lasot(root: Path, split: str) -> Iterator[Track]:
    """The ``ROOT/CLASS/CLASS-1`` that ``ROOT/SPLIT.txt`` names, or ``all``, without hidden and absent frames."""
    listed = root / f"{split}.txt"
    if split != _ALL and not listed.is_file():
        hint = (
            f"--split training_set, with that list in {root}; --split {_ALL} takes every video, those of the test too"
        )
        raise UsageError(f"there is no list of videos {listed}", hint=hint)
    names = None if split == _ALL else set(listed.read_text(encoding="utf-8").split())
    for kind in sorted(path for path in root.iterdir() if path.is_dir()):
        chosen = {path.name for path in kind.iterdir() if names is None or path.name in names}
        for sequence in open_sequences(kind, chosen.__contains__) if chosen else ():
            folder = kind / sequence.name
            marks = [_flags(folder / name, len(sequence)) for name in ("full_occlusion.txt", "out_of_view.txt")]
            yield _track(sequence.name, sequence, [any(pair) for pair in zip(*marks, strict=True)])


def coco(root: Path, split: str) -> Iterator[Track]:
    """Each object of ``ROOT/annotations/instances_SPLIT.json`` that is no crowd, in its image of ``ROOT/SPLIT``."""
    path = root / "annotations" / f"instances_{split}.json"
    table = _json(path)
    try:
        images = {entry["id"]: root / split / entry["file_name"] for entry in table["images"]}
        for entry in table["annotations"]:
            if not entry.get("iscrowd"):
                image = images[entry["image_id"]]
                yield Track(f"{image.stem}_{entry['id']}", ((image, BoundingBox(*map(float, entry["bbox"]))),))
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} is no file of COCO's instances: {error!r}", hint="fetch it anew") from error


def imagenet_vid(root: Path, split: str) -> Iterator[Track]:
    """Each tracked object of ``ROOT/Annotations/VID/SPLIT/**/VIDEO/000000.xml``, images in ``ROOT/Data/VID``."""
    top = root / _VID_BOXES / split
    folders = sorted({path.parent for path in top.rglob("*.xml")})
    for folder in folders:
        objects: dict[str, list[tuple[Path, BoundingBox]]] = defaultdict(list)
        for path in sorted(folder.glob("*.xml")):
            image = root / _VID_IMAGES / path.relative_to(root / _VID_BOXES).with_suffix(".JPEG")
            for number, box in _vid_boxes(path):
                objects[number].append((image, box))
        name = "_".join(folder.relative_to(top).parts)
        for number, frames in sorted(objects.items()):
            yield Track(f"{name}_{number}", tuple(frames))


LAYOUTS: dict[str, Callable[[Path, str], Iterator[Track]]] = {
    "coco": coco,
    "got10k": got10k,
    "imagenet_vid": imagenet_vid,
    "lasot": lasot,
}
STILL = frozenset({"coco"})  # layouts whose objects have one image each


def tracks(layout: str, root: Path, split: str) -> Iterator[Track]:
    """The objects of a data set.

    Args:
        layout: a key of ``LAYOUTS``.
        root: the folder that the data set was unpacked to.
        split: e.g. ``train`` or ``train2017``.

    Raises:
        UsageError: unknown layout, or nothing of it below *root*.
        ArtifactError: an annotation is damaged; the message names the file.
    """
    if layout not in LAYOUTS:
        raise UsageError(f"unknown layout {layout!r}", hint=", ".join(LAYOUTS))
    if not root.is_dir():
        raise UsageError(f"there is no folder {root}", hint="--root FOLDER of the unpacked data set")
    empty = True
    for track in LAYOUTS[layout](root, split):
        empty = False
        yield track
    if empty:
        raise UsageError(f"{root} holds nothing of {layout}'s split {split}", hint="check --layout, --root and --split")


def _track(name: str, sequence: Sequence, left_out: list[bool]) -> Track:
    frames = zip(sequence.images, sequence.regions, left_out, strict=True)
    return Track(
        name,
        tuple((image, BoundingBox(*region)) for image, region, out in frames if not out and math.isfinite(sum(region))),
    )


def _flags(path: Path, count: int) -> list[bool]:
    """Marks of 0 and 1, one a frame, by lines or commas; none where there is no such file."""
    if not path.is_file():
        return [False] * count
    marks = [mark != "0" for mark in path.read_text(encoding="utf-8").replace(",", " ").split()]
    if len(marks) != count:
        raise ArtifactError(f"{path} has {len(marks)} marks for {count} frames", hint="fetch it anew")
    return marks


def _vid_boxes(path: Path) -> list[tuple[str, BoundingBox]]:
    """Track number and box of each object in one frame."""
    if path.stat().st_size > _XML_BYTES:
        raise ArtifactError(f"{path} is too large for an annotation", hint="fetch it anew")
    try:
        entries = list(ElementTree.parse(path).getroot().iter("object"))
        return [(entry.findtext("trackid", "0"), _vid_box(entry)) for entry in entries]
    except (ElementTree.ParseError, ValueError) as error:
        raise ArtifactError(f"{path} is no annotation of ImageNet VID: {error}", hint="fetch it anew") from error


def _vid_box(entry: ElementTree.Element) -> BoundingBox:
    left, top, right, bottom = (float(entry.findtext(f"bndbox/{side}", "")) for side in _SIDES)
    return BoundingBox(left, top, right - left, bottom - top)


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"cannot read {path}: {error}", hint="fetch it anew") from error
