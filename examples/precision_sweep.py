"""Engines of several precisions side by side on your own video.

    python examples/precision_sweep.py --onnx build/MODEL/onnx --video video.mp4 --init X,Y,W,H --out folder fp32 fp16

The first precision is what the others are compared with. ``make sweep`` does this for all 27 mixes, with truth.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from engines.build import BuildRequest, build
from runtime.sources import open_source
from runtime.tracker import Tracker
from siamtrt import Array, BoundingBox, GraphPrecisions


def follow(engines: Path, frames: list[Array], box: BoundingBox) -> tuple[list[BoundingBox], float]:
    """The box in each frame after the first, and the median milliseconds of a frame."""
    with Tracker.open(engines, threads=1) as tracker:
        tracker.start(frames[0], box)
        states = [tracker.update(frame) for frame in frames[1:]]
    return [state.box for state in states], statistics.median(sum(state.times.values()) / 1e6 for state in states)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--onnx", type=Path, required=True, help="folder written by python -m export")
    arguments.add_argument("--video", required=True)
    arguments.add_argument("--init", type=BoundingBox.parse, required=True, help="X,Y,W,H in the first frame")
    arguments.add_argument("--frames", type=int, default=100, help="how many of the video to track")
    arguments.add_argument("--out", type=Path, required=True, help="folder for the engines")
    arguments.add_argument(
        "precisions", nargs="+", help="fp32, fp16, or one a graph: target=fp16,search=fp32,xcorr=fp32"
    )
    options = arguments.parse_args()

    video = open_source(options.video).frames()
    frames = [frame for frame, _ in zip(video, range(options.frames)) if frame is not None]
    reference: list[BoundingBox] = []
    print(f"{'precision':24} {'ms a frame':>10} {'overlap with the first':>22}")
    for text in options.precisions:
        precisions = GraphPrecisions.parse(text)
        engines = options.out / precisions.label
        build(BuildRequest(options.onnx, engines, "onnxruntime", precisions, "examples/precision_sweep.py"))
        boxes, milliseconds = follow(engines, frames, options.init)
        reference = reference or boxes
        overlap = statistics.mean(box.iou(other) for box, other in zip(boxes, reference))
        print(f"{precisions.label:24} {milliseconds:10.2f} {overlap:22.3f}")


if __name__ == "__main__":
    main()
