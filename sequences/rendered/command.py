"""``python -m benchmarks clip``: a rendered clip with its truth, in the layout of the VOT toolkit."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Iterable, List

import cv2

from sequences.rendered.scene import Shot, shots
from sequences.sequence import Sequence
from siamtrt import ArtifactError, UsageError
from siamtrt.files import whole_file, write_error, write_text
from siamtrt.progress import progress_bar

_JPEG_QUALITY = 92
MARK = "rendered.txt"

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--out", type=Path, required=True, help="folder of the sequence")
    parser.add_argument("--seed", type=int, default=7, help="another seed is another scene")
    parser.add_argument("--frames", type=int, default=180)


def main(options: argparse.Namespace) -> None:
    """Render the clip and print its folder."""
    if options.frames < 2:
        raise UsageError(f"a clip of {options.frames} frames cannot be tracked", hint="--frames 180")
    if options.seed < 0:
        raise UsageError(f"a seed of {options.seed} is negative", hint="--seed 7")
    write_clip(options.out, options.seed, options.frames)
    print(options.out)


def write_clip(folder: Path, seed: int, count: int) -> None:
    """Render a scene and write it, see :func:`write_shots`."""
    write_shots(folder, shots(seed, count), count, mark=f"seed {seed}")
    log.info("rendered %s, %d frames, seed %d", folder, count, seed)


def write_shots(folder: Path, taking: Iterable[Shot], count: int, *, mark: str) -> None:
    """Write ``color/%08d.jpg``, tags, the mark of a rendered clip and, last, ``groundtruth.txt`` (x,y,w,h).

    Raises:
        ArtifactError: the folder cannot be written.
    """
    _clear(folder)
    taken: List[Shot] = []
    for shot in progress_bar(taking, total=count, desc="render", unit="frame", leave=False):
        taken.append(shot)
        _write_image(folder / "color" / f"{len(taken):08d}.jpg", shot)
    _write_lines(folder / "occlusion.tag", [str(int(shot.occluded)) for shot in taken])
    _write_lines(folder / "illum_change.tag", [str(int(shot.light_changed)) for shot in taken])
    _write_lines(folder / MARK, [mark])
    _write_lines(folder / "groundtruth.txt", [str(shot.truth) for shot in taken])


def is_rendered(sequence: Sequence) -> bool:
    """Whether the frames of *sequence* were rendered here, which no picture of it shows for certain."""
    return (sequence.images[0].parent.parent / MARK).is_file()


def _clear(folder: Path) -> None:
    """Take away an earlier clip, its truth first: images of two scenes must never stand under one truth."""
    try:
        for path in (folder / "groundtruth.txt", *sorted((folder / "color").glob("*.jpg"))):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error


def _write_image(path: Path, shot: Shot) -> None:
    with whole_file(path) as temporary:
        if not cv2.imwrite(str(temporary), shot.image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]):
            raise ArtifactError(f"OpenCV could not write {path}", hint="check the free space and the folder's rights")


def _write_lines(path: Path, lines: List[str]) -> None:
    write_text(path, "\n".join(lines) + "\n")
