"""Find the clips of a folder: videos with boxes or masks, videos to be tracked, folders of labelled images.

* ``NAME/groundtruth.txt`` beside images (or ``NAME/color``): a box a frame; a single one has the rest tracked;
* ``NAME/boxes.json``: image -> x,y,w,h or a list of such, where each image may lie in a subfolder;
* ``NAME/00001.jpg`` with a mask ``NAME/00001.png`` of the object;
* ``VIDEO.mp4`` with ``VIDEO.txt``, as groundtruth.txt.
"""

from __future__ import annotations

import hashlib
import logging
import math
from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple

import cv2
import numpy as np

from calibration.clips import Clip, Label
from siamtrt import ArtifactError, BoundingBox, UsageError
from siamtrt.files import read_json
from siamtrt.libraries.images import images_of

BOXES, STILLS = "groundtruth.txt", "boxes.json"
_VIDEOS = (".mp4", ".avi", ".mov", ".mkv")
_LAYOUTS = f"NAME/{BOXES} beside images, NAME/{STILLS}, an image and a mask of one name, or VIDEO.mp4 with VIDEO.txt"

_ANNOTATIONS = (".txt", ".json")

log = logging.getLogger(__name__)


def find_clips(root: Path, min_side_px: float) -> List[Clip]:
    """Every clip below *root*, sorted by name.

    Args:
        root: the folder, itself a clip or holding clips at any depth.
        min_side_px: smaller boxes are left out.

    Raises:
        UsageError: there is none, or a video without a box for its first frame.
        ArtifactError: annotations are damaged.
    """
    if not root.is_dir():
        raise UsageError(f"no such folder: {root}", hint=f"a folder with {_LAYOUTS}")
    found = list(_clips_of(root, root, min_side_px))
    for clip in found:
        if not clip.labels:
            log.warning("left out %s: no box with sides of %g px or more", clip.name, min_side_px)
    clips = [clip for clip in found if clip.labels]
    if not clips:
        raise UsageError(f"{root} holds no labelled frame", hint=f"a folder with {_LAYOUTS}")
    return clips


def fingerprint(root: Path) -> str:
    """A digest of the files below *root*: names, sizes and times of change, and what the annotations say."""
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        seen = path.stat()
        digest.update(repr((str(path.relative_to(root)), seen.st_size, seen.st_mtime_ns)).encode())
        if path.suffix in _ANNOTATIONS:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _clips_of(folder: Path, root: Path, min_side_px: float) -> Iterator[Clip]:
    name = folder.resolve().name if folder == root else str(folder.relative_to(root))
    if (folder / STILLS).is_file():
        yield _stills(folder, name, min_side_px)
        return
    inner = folder / "color"
    images = images_of(inner if inner.is_dir() else folder)
    if (folder / BOXES).is_file():
        yield _annotated(folder / BOXES, name, tuple(images), min_side_px)
    elif any(path.suffix == ".png" for path in images) and any(path.suffix != ".png" for path in images):
        yield _masked(name, images, min_side_px)
    elif images:
        raise UsageError(
            f"{folder} holds images but no box",
            hint=f"write x,y,w,h of the object in the first one to {folder / BOXES}",
        )
    else:
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                yield from _clips_of(path, root, min_side_px)
            elif path.suffix.lower() in _VIDEOS:
                yield _video(path, str(path.relative_to(root)), min_side_px)


def _annotated(truth: Path, name: str, images: Tuple[Path, ...], min_side_px: float) -> Clip:
    boxes = _read_boxes(truth)
    if len(boxes) == 1 < len(images):
        return Clip(name, images, None, _usable(boxes, [images[0].name], min_side_px), untracked=True)
    if len(boxes) != len(images):
        raise ArtifactError(
            f"{truth.parent} has {len(images)} images for {len(boxes)} boxes",
            hint="one box a frame, or the first box alone to have the rest tracked",
        )
    return Clip(name, images, None, _usable(boxes, [image.name for image in images], min_side_px))


def _video(path: Path, name: str, min_side_px: float) -> Clip:
    truth = path.with_suffix(".txt")
    if not truth.is_file():
        raise UsageError(f"{path} has no box", hint=f"write x,y,w,h of the object in its first frame to {truth}")
    boxes = _read_boxes(truth)
    labels = _usable(boxes, [f"frame {position}" for position in range(len(boxes))], min_side_px)
    return Clip(name, (), path, labels, untracked=len(boxes) == 1)


def _stills(folder: Path, name: str, min_side_px: float) -> Clip:
    """A folder with ``boxes.json``: image -> a box or a list of them. Images of one subfolder show one object."""
    entries = sorted(read_json(folder / STILLS).items())
    labels: List[Label] = []
    for position, (image, boxes) in enumerate(entries):
        several = isinstance(boxes, list) and all(isinstance(fields, list) for fields in boxes)
        for number, fields in enumerate(boxes if several else [boxes]):
            box = _box(fields, f"{folder / STILLS}, {image}")
            together = not several and "/" in image
            group = image.rsplit("/", 1)[0] if together else f"{image} {number}"
            if box and min(box.width, box.height) >= min_side_px:
                labels.append(Label(image, position, box, group))
    images = tuple(folder / image for image, _ in entries)
    missing = [image for image in images if not image.is_file()]
    if missing:
        raise ArtifactError(f"{folder / STILLS} names {missing[0].name}, which is not there", hint="remove its entry")
    return Clip(name, images, None, tuple(labels))


def _masked(name: str, images: List[Path], min_side_px: float) -> Clip:
    """Images with a mask of one object each, under the same name in PNG."""
    frames = [path for path in images if path.suffix != ".png" and path.with_suffix(".png").is_file()]
    boxes: List[Optional[BoundingBox]] = []
    for path in frames:
        mask = cv2.imread(str(path.with_suffix(".png")), cv2.IMREAD_GRAYSCALE)
        if mask is None:
            raise ArtifactError(f"{path.with_suffix('.png')} is not a readable mask", hint="remove it and its image")
        boxes.append(BoundingBox(*map(float, cv2.boundingRect(np.asarray(mask > 0, np.uint8)))))
    return Clip(name, tuple(frames), None, _usable(boxes, [path.name for path in frames], min_side_px))


def _usable(boxes: List[Optional[BoundingBox]], names: List[str], min_side_px: float) -> Tuple[Label, ...]:
    return tuple(
        Label(name, position, box, "")
        for position, (box, name) in enumerate(zip(boxes, names))
        if box is not None and min(box.width, box.height) >= min_side_px
    )


def _read_boxes(path: Path) -> List[Optional[BoundingBox]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"cannot read {path}: {error}") from error
    return [
        _box(line.replace(",", " ").split(), f"{path}, line {number}") for number, line in enumerate(lines, start=1)
    ]


def _box(fields: Any, where: str) -> Optional[BoundingBox]:
    """A box from 4 numbers or the 8 of a polygon; None where the object is absent (nan)."""
    try:
        numbers = [float(field) for field in fields]
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"{where}: {fields!r} is not numbers", hint="mend the annotation") from error
    if len(numbers) not in (4, 8):
        raise ArtifactError(f"{where}: a box is 4 or 8 numbers, not {len(numbers)}", hint="mend the annotation")
    if not all(math.isfinite(number) for number in numbers):
        return None
    return BoundingBox.from_polygon(numbers) if len(numbers) == 8 else BoundingBox(*numbers)
