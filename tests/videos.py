"""Small folders of frames, one a kind of clip."""

from __future__ import annotations

import json

import cv2
import numpy as np

SIZE = (120, 160)


def picture(seed):
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)


def box_of(position):
    return (40.0 + 2 * position, 30.0 + position, 30.0, 20.0)


def write_video(folder, frames, *, boxes=None, seed=0):
    """Frame *i* is ``picture(seed + i)`` as PNG; *boxes* is how many lines of truth there are."""
    folder.mkdir(parents=True)
    for position in range(frames):
        cv2.imwrite(str(folder / f"{position:03d}.png"), picture(seed + position))
    lines = [",".join(map(str, box_of(position))) for position in range(frames if boxes is None else boxes)]
    (folder / "groundtruth.txt").write_text("\n".join(lines) + "\n")


def write_masked(folder, frames):
    folder.mkdir(parents=True)
    for position in range(frames):
        cv2.imwrite(str(folder / f"{position:03d}.jpg"), picture(position))
        mask = np.zeros(SIZE, np.uint8)
        x, y, width, height = map(int, box_of(position))
        mask[y : y + height, x : x + width] = 255
        cv2.imwrite(str(folder / f"{position:03d}.png"), mask)


def write_stills(folder, table):
    """*table* as boxes.json, each image of it a picture."""
    for seed, name in enumerate(table):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), picture(seed))
    (folder / "boxes.json").write_text(json.dumps(table))


def write_film(path, frames):
    """A video file of one grey a frame, ``10 * position``, with noise that survives compression."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, SIZE[::-1])
    for position in range(frames):
        writer.write(np.full((*SIZE, 3), 10 * position, np.uint8) + picture(0) // 16)
    writer.release()
