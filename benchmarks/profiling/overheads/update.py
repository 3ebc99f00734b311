"""``python -m benchmarks overhead``: what a frame costs beside the network, and a whole update beside other trackers.

Everything is measured in one run, since machines are noisy: compare the ratios. Single-threaded, median of many frames.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import cv2
import numpy as np

from benchmarks.profiling.overheads.pysots_way import UpstreamWay
from runtime.crop import crop, network_input
from runtime.locator import HostLocator
from runtime.matcher import Color, Response, StageTimes
from runtime.onnxruntime.matcher import OnnxMatcher
from runtime.tracker import Tracker
from siamtrt import (
    Array,
    ArtifactError,
    BoundingBox,
    InferenceError,
    Manifest,
    MissingDependencyError,
    ModelCard,
    UsageError,
)
from siamtrt.environment import describe
from siamtrt.files import write_text
from siamtrt.geometry import Square

_FRAMES = 300
_WARM_UP = 30
_HEIGHT_PX, _WIDTH_PX = 720, 1280
_BOX = BoundingBox(30, 300, 120, 90)  # near the border, so that the search region has to be padded


class _FixedMaps:
    """A matcher whose network takes no time: it crops for real and answers with fixed maps."""

    def __init__(self, card: ModelCard) -> None:
        rng = np.random.default_rng(0)
        size, anchors = card.search.score_size, card.anchors_per_cell
        self.card = card
        self.cls = rng.normal(0, 2, (2 * anchors, size, size)).astype(np.float32)
        self.loc = np.exp(rng.normal(3, 0.3, (4 * anchors, size, size))).astype(np.float32)
        if card.family == "rpn":
            self.loc = rng.normal(0, 0.1, (4 * anchors, size, size)).astype(np.float32)
        self._input = np.zeros((1, 3, card.search.search_px, card.search.search_px), np.float32)

    def remember(self, frame: Array, square: Square, fill: Color) -> StageTimes:
        """See :class:`runtime.matcher.Matcher`."""
        crop(frame, square, fill)
        return {}

    def match(self, frame: Array, square: Square, fill: Color) -> Response:
        """See :class:`runtime.matcher.Matcher`."""
        network_input(crop(frame, square, fill), self._input)
        return Response(self.cls, self.loc, {})

    def close(self) -> None:
        """See :class:`runtime.matcher.Matcher`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument(
        "--engines", type=Path, required=True, help="ONNX Runtime engines, e.g. of nanotrack_v3 in fp32"
    )
    parser.add_argument("--opencv-backbone", type=Path, help="backbone ONNX file of OpenCV's TrackerNano")
    parser.add_argument("--opencv-head", type=Path, help="its head")
    parser.add_argument("--checkpoint", type=Path, help="time the same network in eager PyTorch too")
    parser.add_argument("--memory-frames", type=int, default=0, help="also track so many frames and watch the memory")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")


def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    frames = _frames()
    if (options.opencv_backbone is None) != (options.opencv_head is None):
        raise UsageError("OpenCV's TrackerNano needs both of its files", hint="--opencv-backbone and --opencv-head")
    Manifest.load(options.engines, stage="engines")
    card = ModelCard.load(options.engines)
    figures: Dict[str, Any] = {"environment": describe(), "command": " ".join(sys.argv), "unit": "ms, median"}
    maps = _FixedMaps(card)
    ours = _updates_ms(Tracker(HostLocator(maps)), frames)
    theirs = _median_ms(UpstreamWay(card, _BOX, frames[0], maps.cls, maps.loc).update, frames)
    figures["glue_ms"], figures["glue_upstream_way_ms"] = ours, theirs
    figures["glue_ratio"] = theirs / ours
    update = _updates_ms(Tracker.open(options.engines, threads=1), frames)
    figures["update_ms"] = update
    if options.opencv_backbone and options.opencv_head:
        figures["opencv_nano_ms"] = _opencv_ms(options.opencv_backbone, options.opencv_head, frames)
        figures["opencv_nano_ratio"] = figures["opencv_nano_ms"] / update
    if options.checkpoint:
        network = _torch_ms(card.name, options.checkpoint)
        figures["network_torch_ms"] = network
        figures["network_ms"] = _network_ms(OnnxMatcher(options.engines, card, threads=1), frames)
        figures["torch_ratio"] = network / figures["network_ms"]
    if options.memory_frames:
        figures["memory_mib"] = _memory(Tracker.open(options.engines, threads=1), frames, options.memory_frames)
    if options.out:
        write_text(options.out, json.dumps(figures, indent=1) + "\n")
    for name, value in figures.items():
        if name not in ("environment", "command"):
            print(f"{name:24} {value:.3f}" if isinstance(value, float) else f"{name:24} {value}")  # noqa: T201


def _frames() -> List[Array]:
    """A few frames of smooth noise; a target at the same place in all."""
    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (4, 45, 80, 3), dtype=np.uint8)
    return [cv2.resize(picture, (_WIDTH_PX, _HEIGHT_PX), interpolation=cv2.INTER_CUBIC) for picture in small]


def _updates_ms(tracker: Tracker, frames: List[Array]) -> float:
    """Median of an update, the target put back before each, so that every frame does the same work."""
    given = tracker.start(frames[0], _BOX)

    def update(frame: Array) -> None:
        tracker.go_on_from(given)
        tracker.update(frame)

    return _median_ms(update, frames)


def _median_ms(call: Callable[[Array], Any], frames: List[Array]) -> float:
    samples_ns = []
    for index in range(_WARM_UP + _FRAMES):
        frame = frames[index % len(frames)]
        started_ns = time.perf_counter_ns()
        call(frame)
        samples_ns.append(time.perf_counter_ns() - started_ns)
    return statistics.median(samples_ns[_WARM_UP:]) / 1e6


def _network_ms(matcher: OnnxMatcher, frames: List[Array]) -> float:
    """Search and xcorr alone."""
    square = Square(*_BOX.center, 300, matcher.card.search.search_px)
    matcher.remember(frames[0], Square(*_BOX.center, 150, matcher.card.template_px), (0, 0, 0))
    samples = [matcher.match(frames[index % len(frames)], square, (0, 0, 0)) for index in range(_WARM_UP + _FRAMES)]
    return statistics.median(each.times["search"] + each.times["xcorr"] for each in samples[_WARM_UP:]) / 1e6


def _torch_ms(model: str, checkpoint: Path) -> float:
    """The same two graphs in eager PyTorch, in a process of its own, since this package never imports torch.

    Raises:
        MissingDependencyError: there is no PyTorch here.
        PipelineError: what that process said.
    """
    if importlib.util.find_spec("torch") is None:
        raise MissingDependencyError(
            "PyTorch is not installed here", hint="leave --checkpoint out, or use a workstation"
        )
    command = [
        sys.executable,
        "-m",
        "networks.stopwatch",
        "--model",
        model,
        "--checkpoint",
        str(checkpoint),
        "--frames",
        str(_FRAMES),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise _error_of(done)
    return float(done.stdout)


def _error_of(child: subprocess.CompletedProcess[str]) -> Exception:
    """What a command of ours said as a child, as if it had been said here; a bug keeps the child's traceback."""
    kinds = {kind.exit_code: kind for kind in (UsageError, MissingDependencyError, ArtifactError, InferenceError)}
    _, said, sentence = child.stderr.rpartition("error: ")
    if said and child.returncode in kinds:
        problem, _, hint = sentence.strip().partition("\n  try: ")
        return kinds[child.returncode](problem, hint=hint)
    sys.stderr.write(child.stderr)
    return subprocess.CalledProcessError(child.returncode, child.args)


def _opencv_ms(backbone: Path, head: Path, frames: List[Array]) -> float:
    opencv: Any = cv2
    parameters = opencv.TrackerNano_Params()
    parameters.backbone, parameters.neckhead = str(backbone), str(head)
    try:
        tracker = opencv.TrackerNano_create(parameters)
        tracker.init(frames[0], (int(_BOX.x), int(_BOX.y), int(_BOX.width), int(_BOX.height)))
        return _median_ms(tracker.update, frames)
    except cv2.error as error:
        raise UsageError(
            f"OpenCV's TrackerNano cannot use these files: {error}", hint="it takes NanoTrack v2's"
        ) from error


def _memory(tracker: Tracker, frames: List[Array], count: int) -> Dict[str, Optional[float]]:
    """Resident memory at the start, in the middle and at the end of a long run, and its peak, in MiB."""
    tracker.start(frames[0], _BOX)
    marks: Dict[str, Optional[float]] = {}
    for index in range(count):
        tracker.update(frames[index % len(frames)])
        if index in (200, count // 2, count - 1):
            marks[f"frame {index}"] = _resident_mib()
    marks["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return marks


def _resident_mib() -> Optional[float]:
    """None where the system does not tell."""
    if platform.system() != "Linux":
        return None
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20
