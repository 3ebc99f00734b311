"""A moving picture and what follows it, for every test that compares ways to track."""

from __future__ import annotations

import numpy as np

from runtime.locator import HostLocator
from runtime.onnxruntime.matcher import OnnxMatcher
from runtime.tracker import Tracker
from siamtrt import BoundingBox, Manifest, ModelCard

FILL = (1, 2, 3)
BOXES = (BoundingBox(40, 40, 40, 40), BoundingBox(100, 50, 30, 50), BoundingBox(10, 80, 50, 30))


def picture():
    """120x160 of coarse noise."""
    coarse = np.random.default_rng(1).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return coarse.repeat(10, 0).repeat(10, 1)


def clip(frame, count=6):
    return [np.roll(frame, (2 * step, 3 * step), (0, 1)) for step in range(count)]


def on_the_cpu(folder, **options):
    """A locator of graphs for ONNX Runtime, of an export too."""
    return HostLocator(OnnxMatcher(folder, ModelCard.load(folder), **options))


def follow(locator, frames, box=BOXES[0]):
    """States of a tracker after the first frame; the locator is closed."""
    with Tracker(locator) as tracker:
        tracker.start(frames[0], box)
        return [tracker.update(frame) for frame in frames[1:]]


def as_rows(states):
    """Nx4 array of the boxes."""
    return np.array([(state.box.x, state.box.y, state.box.width, state.box.height) for state in states])


def read(engines):
    """Folder, card and manifest, as a backend is opened with."""
    return engines, ModelCard.load(engines), Manifest.load(engines, stage="engines")
