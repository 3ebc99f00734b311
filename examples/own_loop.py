"""A camera loop of your own around one tracker: ``python examples/own_loop.py --engines DIR --video 0 --init X,Y,W,H``.

The loop, the camera and what is done with a box are yours; the tracker is two calls.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2

from runtime.tracker import Tracker
from siamtrt import BoundingBox


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--engines", type=Path, required=True, help="folder written by python -m engines")
    arguments.add_argument("--video", required=True, help="what OpenCV opens: a file, a URL, or the number of a camera")
    arguments.add_argument("--init", type=BoundingBox.parse, required=True, help="X,Y,W,H in the first frame")
    options = arguments.parse_args()

    camera = cv2.VideoCapture(int(options.video) if options.video.isdigit() else options.video)
    grabbed, frame = camera.read()  # HxWx3 uint8, BGR
    if not grabbed:
        arguments.error(f"no frame comes from {options.video}")

    with Tracker.open(options.engines) as tracker:
        tracker.start(frame, options.init)
        number = 0
        while True:
            grabbed, frame = camera.read()
            if not grabbed:
                break
            number += 1
            state = tracker.update(frame)
            milliseconds = sum(state.times.values()) / 1e6
            print(f"{number:5d}  {state.box}  score {state.score:.3f}  {milliseconds:.1f} ms")
            if state.lost:  # of a long-term model; None for one that cannot tell
                print("lost; it is looked for in a larger region")
    camera.release()


if __name__ == "__main__":
    main()
