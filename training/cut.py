"""``python -m training.cut``: cut the objects of a large data set out once, 511 pixels square as PySOT does.

Training then reads small images instead of whole frames. What is written is a folder of videos like any other:
``OUT/NAME/00000.jpg`` and ``groundtruth.txt`` in pixels of the square; a source of the kind ``videos``. An object
of a video that is seen in only one of the chosen frames is left out. One of COCO, which has still images, is an entry
of ``OUT/boxes.json``; a source of the kind ``images``. Rerun to go on.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import cv2

from sequences.boxes_json import FILE_NAME
from siamtrt import Array, ArtifactError, BoundingBox, UsageError, cli
from siamtrt.files import read_json, whole_file, write_text
from siamtrt.geometry import context_side
from siamtrt.libraries.images import read_image
from siamtrt.progress import progress_bar
from training.pairs import View, crop
from training.sources import Labelled
from training.tracks import LAYOUTS, STILL, Track, tracks

SQUARE_PX = 511
_TEMPLATE_PX, _CONTEXT = 127, 0.5  # of PySOT's models: the square is as much larger as its crop is
_JPEG_QUALITY = 92
_LEAST_SIDE_PX = 8.0


def main(options: argparse.Namespace) -> None:
    """Cut what is not there yet, and print the folder.

    Raises:
        UsageError: ``OUT`` holds still images, whose list would hide videos beside it from every reader.
    """
    known, still = options.out / FILE_NAME, options.layout in STILL
    boxes = read_json(known) if known.is_file() else {}
    if boxes and not still:
        raise UsageError(f"{known} would hide the videos of {options.layout} beside it", hint="another --out")
    try:
        for track in progress_bar(tracks(options.layout, options.root, options.split), desc="cut", unit="object"):
            frames = [entry for entry in track.frames[:: options.every] if _is_seen(entry[1])]
            if still and frames and f"{track.name}.jpg" not in boxes:
                boxes[f"{track.name}.jpg"] = _as_list(_cut(options.out / f"{track.name}.jpg", *frames[0]))
            elif len(frames) > 1:
                _cut_video(options.out / track.name, Track(track.name, tuple(frames)))
    finally:  # an interruption, or a damaged annotation, keeps what was cut before it
        if boxes:
            write_text(known, json.dumps(boxes) + "\n")
    print(options.out)  # noqa: T201


def _cut_video(folder: Path, track: Track) -> None:
    """Write the squares of a track, its truth last: a folder with one is finished."""
    if (folder / "groundtruth.txt").is_file():
        return
    cut = [_cut(folder / f"{index:05d}.jpg", image, box) for index, (image, box) in enumerate(track.frames)]
    write_text(folder / "groundtruth.txt", "\n".join(str(box) for box in cut) + "\n")


def _cut(path: Path, image_path: Path, box: BoundingBox) -> BoundingBox:
    """Write the square around one object and return the box in its pixels."""
    image: Array | None = read_image(image_path)
    if image is None:
        raise ArtifactError(f"{image_path} is not a readable image", hint="fetch the data set anew")
    side_px = context_side(box.width, box.height, _CONTEXT)
    square, moved = crop(Labelled(image, box), SQUARE_PX, side_px * SQUARE_PX / _TEMPLATE_PX, View(0, 0, 1, 1))
    with whole_file(path) as temporary:
        if not cv2.imwrite(str(temporary), square, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]):
            raise ArtifactError(f"OpenCV could not write {path}", hint="check the free space and the folder's rights")
    return moved


def _is_seen(box: BoundingBox) -> bool:
    return min(box.width, box.height) >= _LEAST_SIDE_PX


def _as_list(box: BoundingBox) -> list[float]:
    return [round(value, 2) for value in (box.x, box.y, box.width, box.height)]


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("training.cut", "Cut the objects of a large data set out once.")
    arguments.add_argument("--layout", choices=sorted(LAYOUTS), required=True)
    arguments.add_argument("--root", type=Path, required=True, help="the folder the data set was unpacked to")
    arguments.add_argument("--split", default="train", help="train, val, train2017, ...; LaSOT: its list, or all")
    arguments.add_argument("--every", type=cli.count, default=5, help="take every so many frames of a video")
    arguments.add_argument("--out", type=Path, required=True)
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
