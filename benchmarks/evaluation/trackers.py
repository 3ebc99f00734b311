"""What is benchmarked: our tracker, or one of OpenCV's beside it in the same run."""

from __future__ import annotations

import argparse
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Optional, Protocol, Sized

import cv2

from runtime.tracker import Tracker
from sequences.sequence import Sequence
from siamtrt import Array, ArtifactError, BoundingBox, MissingDependencyError, UsageError, cli

OPENCV_TRACKERS = ("CSRT", "KCF", "MIL")


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what every run of a tracker through sequences takes."""
    parser.add_argument("--only", nargs="+", default=[], help="names of the sequences to run; all by default")
    parser.add_argument("--tracker", help="name of the results; made from the engines by default")
    parser.add_argument(
        "--jobs", type=cli.count, default=1, help="sequences run at a time; more than one spoils the times"
    )
    parser.add_argument("--threads", type=cli.count, help="of the CPU backend; all cores by default")
    parser.add_argument("--allow-leak", action="store_true", help="run on sequences that calibrated the engines")


class Follower(Protocol):
    """Follows one target; started anew for each."""

    def start(self, frame: Array, box: BoundingBox) -> None:
        """Take *box* in *frame* (HxWx3 uint8, BGR) as the target."""

    def update(self, frame: Array) -> Optional[BoundingBox]:
        """The target's box in the next frame; None where the tracker itself says that it is gone."""


@contextmanager
def open_follower(engines: Optional[Path], opencv: Optional[str], threads: Optional[int]) -> Iterator[Follower]:
    """The tracker that was named, closed behind the block: the folder *engines*, or OpenCV's called *opencv*."""
    if engines is None:
        yield OpenCvFollower(str(opencv))
        return
    ours = OurFollower(engines, threads)
    try:
        yield ours
    finally:
        ours.close()


@contextmanager
def named(sequence: Sequence, done: Sized) -> Iterator[None]:
    """Name the sequence and the frame in what a tracker says of its box or frame; *done* has an entry a frame so far.

    Raises:
        ArtifactError: in place of the tracker's UsageError, since it is the data that are wrong.
    """
    try:
        yield
    except UsageError as error:
        problem = f"{sequence.name}, frame {len(done) + 1}: {error.problem}"
        raise ArtifactError(problem, hint="mend the annotation, or fetch the sequence anew") from error


class OurFollower:
    """The tracker of this project.

    Args:
        engines: folder written by ``python -m engines``.
        threads: of the CPU backend.
    """

    def __init__(self, engines: Path, threads: Optional[int]) -> None:
        self._tracker = Tracker.open(engines, threads=threads)

    def start(self, frame: Array, box: BoundingBox) -> None:
        """See :class:`Follower`."""
        self._tracker.start(frame, box)

    def update(self, frame: Array) -> Optional[BoundingBox]:
        """See :class:`Follower`."""
        return self._tracker.update(frame).box

    def close(self) -> None:
        """Free the backend's resources."""
        self._tracker.close()


class OpenCvFollower:
    """A tracker of OpenCV with its default parameters.

    Raises:
        UsageError: unknown name.
        MissingDependencyError: this OpenCV was built without it.
    """

    def __init__(self, name: str) -> None:
        if name not in OPENCV_TRACKERS:
            raise UsageError(f"unknown tracker {name!r}", hint=f"one of {', '.join(OPENCV_TRACKERS)}")
        self._create: Any = getattr(cv2, f"Tracker{name}_create", None)
        if self._create is None:
            raise MissingDependencyError(
                f"this OpenCV has no {name} tracker",
                hint="pip install opencv-contrib-python in place of opencv-python, in an environment of its own",
            )
        cv2.setRNGSeed(0)

    def start(self, frame: Array, box: BoundingBox) -> None:
        """See :class:`Follower`."""
        self._tracker = self._create()
        self._tracker.init(frame, (round(box.x), round(box.y), round(box.width), round(box.height)))

    def update(self, frame: Array) -> Optional[BoundingBox]:
        """See :class:`Follower`."""
        found, box = self._tracker.update(frame)
        return BoundingBox(*(float(value) for value in box)) if found else None
