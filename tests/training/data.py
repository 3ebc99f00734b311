"""Small data sets, drawn by the tests themselves."""

from __future__ import annotations

import json

import cv2
import numpy as np

from siamtrt import BoundingBox


def frame(rng, box):
    """A grey noisy image with a striped rectangle."""
    image = rng.integers(90, 110, (120, 160, 3), dtype=np.uint8)
    x, y, width, height = (int(value) for value in (box.x, box.y, box.width, box.height))
    image[y : y + height, x : x + width : 2] = (250, 30, 60)
    return image


def write_videos(root, names=("one", "two", "held"), frames=6, size=(36, 28)):
    rng = np.random.default_rng(0)
    for name in names:
        (root / name).mkdir(parents=True)
        lines = []
        for index in range(frames):
            box = BoundingBox(20 + 8 * index, 30 + 4 * index, *size)
            cv2.imwrite(str(root / name / f"{index:05d}.jpg"), frame(rng, box))
            lines.append(str(box))
        (root / name / "groundtruth.txt").write_text("\n".join(lines))


def write_masks(root, names=("cat", "dog"), frames=4):
    rng = np.random.default_rng(1)
    for name in names:
        (root / name).mkdir(parents=True)
        for index in range(frames):
            box = BoundingBox(30 + 6 * index, 20, 40, 30)
            cv2.imwrite(str(root / name / f"{index:05d}.jpg"), frame(rng, box))
            mask = np.zeros((120, 160), np.uint8)
            mask[20:50, 30 + 6 * index : 70 + 6 * index] = 255
            cv2.imwrite(str(root / name / f"{index:05d}.png"), mask)


def write_images(root):
    rng = np.random.default_rng(2)
    root.mkdir(parents=True)
    boxes = {"a.jpg": [[20, 20, 50, 40], [60, 50, 30, 30]], "b.jpg": [10, 10, 40, 60]}
    for name in boxes:
        cv2.imwrite(str(root / name), frame(rng, BoundingBox(20, 20, 50, 40)))
    (root / "boxes.json").write_text(json.dumps(boxes))
