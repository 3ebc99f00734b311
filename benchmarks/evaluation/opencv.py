"""OpenCV's trackers, run as ours are: the one to beat without any training, and TrackerNano on its published files."""

from __future__ import annotations

import argparse
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator

import cv2

from siamtrt import Array, BoundingBox, MissingDependencyError, UsageError
from siamtrt.files import sha256

NANO = "Nano"
TRACKERS = ("CSRT", "KCF", "MIL", NANO)
_PACKAGE = "pip install opencv-contrib-python in place of opencv-python, in an environment of its own"


@dataclass(frozen=True)
class Opencv:
    """Which of OpenCV's trackers, with its default parameters.

    Attributes:
        name: one of ``TRACKERS``.
        backbone: ONNX file of TrackerNano; None for the others.
        head: the same of its head.

    Raises:
        UsageError: unknown name, or files that the tracker lacks or does not take.
    """

    name: str
    backbone: Path | None = None
    head: Path | None = None

    def __post_init__(self) -> None:
        if self.name not in TRACKERS:
            raise UsageError(f"unknown tracker {self.name!r}", hint=f"one of {', '.join(TRACKERS)}")
        files = [path for path in (self.backbone, self.head) if path]
        if len(files) != (2 if self.name == NANO else 0):
            problem = "needs both of its files" if self.name == NANO else "takes no files"
            raise UsageError(f"OpenCV's Tracker{self.name} {problem}", hint="--opencv-backbone and --opencv-head")
        for path in files:
            if not path.is_file():
                raise UsageError(f"no such file: {path}", hint="NanoTrack v2's ONNX files, see docs/evaluation.md")

    @property
    def identity(self) -> Any:
        """What decides about its results."""
        if self.backbone and self.head:
            return {"name": self.name, "backbone": sha256(self.backbone), "head": sha256(self.head)}
        return self.name

    def create(self) -> Any:
        """A new tracker of OpenCV.

        Raises:
            MissingDependencyError: this OpenCV was built without it.
            UsageError: OpenCV cannot use the files.
        """
        create: Any = getattr(cv2, f"Tracker{self.name}_create", None)
        if create is None:
            raise MissingDependencyError(f"this OpenCV has no {self.name} tracker", hint=_PACKAGE)
        if self.name != NANO:
            return create()
        opencv: Any = cv2
        parameters = opencv.TrackerNano_Params()
        parameters.backbone, parameters.neckhead = str(self.backbone), str(self.head)
        with self.refusals():
            return create(parameters)

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Say whose files they are where OpenCV refuses them.

        Raises:
            UsageError: OpenCV cannot use the files, or the box.
        """
        try:
            yield
        except cv2.error as error:
            hint = "it takes NanoTrack v2's files" if self.name == NANO else "name another tracker"
            raise UsageError(f"OpenCV's Tracker{self.name} refuses: {error}", hint=hint) from error


def declare_files(parser: argparse.ArgumentParser) -> None:
    """Declare the files of TrackerNano."""
    parser.add_argument("--opencv-backbone", type=Path, help="backbone ONNX file of OpenCV's TrackerNano")
    parser.add_argument("--opencv-head", type=Path, help="its head")


class OpencvTracker:
    """A tracker of OpenCV; see ``benchmarks.evaluation.trackers.BoxTracker``."""

    def __init__(self, opencv: Opencv) -> None:
        self._opencv = opencv
        self._tracker = opencv.create()
        cv2.setRNGSeed(0)

    def start(self, frame: Array, box: BoundingBox) -> None:
        self._tracker = self._opencv.create()
        with self._opencv.refusals():
            self._tracker.init(frame, (round(box.x), round(box.y), round(box.width), round(box.height)))

    def update(self, frame: Array) -> BoundingBox | None:
        found, box = self._tracker.update(frame)
        return BoundingBox(*(float(value) for value in box)) if found else None
