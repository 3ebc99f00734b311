"""Targets that join and leave a running loop: ``python examples/several_targets.py --engines DIR --source video.mp4``.

A sink takes the states after each frame. This one follows a second target from frame 10 on and drops the first at 20.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from runtime import loop
from runtime.followed import Followed
from runtime.frames import Frame
from runtime.open_engines import open_locators
from runtime.readahead import ReadAhead
from runtime.sources import open_source
from runtime.tracker import Tracker, TrackerState
from siamtrt import BoundingBox


class Director:
    """A sink that prints the boxes, and adds and removes targets between two frames."""

    def __init__(self, followed: Followed, second: BoundingBox) -> None:
        self._followed, self._second, self._frame = followed, second, 0

    def add(self, frame: Frame | None, states: Sequence[TrackerState]) -> None:
        where = "   ".join(str(state.box) for state in states)
        print(f"{self._frame:5d}  {where if frame is not None else 'unreadable'}")
        self._frame += 1
        if self._frame == 10:
            self._followed.add(self._second)  # taken in the next frame
        if self._frame == 20:
            self._followed.remove(0)

    def close(self) -> None:
        """There is nothing to finish."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--engines", type=Path, required=True, help="folder written by python -m engines")
    arguments.add_argument("--source", required=True, help="a video, a folder of images, camera:0, ...")
    arguments.add_argument("--first", type=BoundingBox.parse, required=True, help="X,Y,W,H in the first frame")
    arguments.add_argument("--second", type=BoundingBox.parse, required=True, help="X,Y,W,H in frame 10")
    options = arguments.parse_args()

    def open_trackers(count: int) -> list[Tracker]:
        return [Tracker(locator) for locator in open_locators(options.engines, count)]

    # Frames are read on a thread while the last one is tracked.
    with Followed(open_trackers) as followed, ReadAhead(open_source(options.source).frames()) as frames:
        followed.add(options.first)
        loop.run(frames, followed, [Director(followed, options.second)])


if __name__ == "__main__":
    main()
