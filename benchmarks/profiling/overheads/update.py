"""What a frame costs beside the network, and a whole update beside other trackers.

Everything is measured in one run, what is compared in turns, since machines are noisy: compare the ratios.
Single-threaded, median of many frames. Beside the network there are two cases: with the target inside the frame the
search region is cut out as it is, at the border it has to be padded, for which PySOT copies the whole frame.
"""

from __future__ import annotations

import platform
import resource
import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable, Sequence

import cv2
import numpy as np

from benchmarks.evaluation.opencv import Opencv, OpencvTracker
from benchmarks.profiling.overheads.pysots_way import PysotsWay
from runtime.crop import crop, network_input
from runtime.frames import Frame
from runtime.locator import HostLocator
from runtime.matcher import Color, Response, StageTimes
from runtime.nv12 import Nv12Frame
from runtime.onnxruntime.matcher import OnnxMatcher
from runtime.tracker import Tracker
from siamtrt import Array, BoundingBox, ModelCard
from siamtrt.geometry import Place, Square, search_square

FRAMES = 300
_WARM_UP = 30
_HEIGHT_PX, _WIDTH_PX = 720, 1280
_BOX = BoundingBox(30, 300, 120, 90)  # near the border, so that the search region has to be padded
_INSIDE = BoundingBox(600, 300, 120, 90)  # the same, where it has not


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

    def remember(self, frame: Frame, square: Square, fill: Color) -> StageTimes:
        crop(frame, square, fill)
        return {}

    def match(self, frame: Frame, square: Square, fill: Color) -> Response:
        network_input(crop(frame, square, fill), self._input)
        return Response(self.cls, self.loc, {})

    def close(self) -> None:
        pass


def measure(
    engines: Path, opencv: Opencv | None = None, network: bool = False, memory_frames: int = 0
) -> dict[str, Any]:
    """Measure on one thread: milliseconds, medians of many frames.

    Args:
        engines: ONNX Runtime engines.
        opencv: time OpenCV's TrackerNano too.
        network: time search and xcorr alone too.
        memory_frames: also track so many frames and watch the memory.

    Raises:
        UsageError: OpenCV cannot use its files.
        PipelineError: of the runtime.
    """
    cv2.setNumThreads(1)
    frames, card = _frames(), ModelCard.load(engines)
    maps = _FixedMaps(card)
    figures: dict[str, Any] = {}
    for place, box in (("inside", _INSIDE), ("border", _BOX)):
        ours = _updates(Tracker(HostLocator(maps)), frames, box)
        theirs = PysotsWay(card, box, frames[0], maps.cls, maps.loc).update
        ours_ms, theirs_ms, resize_ms = _medians_ms([ours, theirs, _resizing(card, box)], frames)
        figures[f"glue_{place}_ms"], figures[f"glue_{place}_upstream_way_ms"] = ours_ms, theirs_ms
        figures[f"glue_{place}_ratio"], figures[f"resize_{place}_ms"] = theirs_ms / ours_ms, resize_ms
    figures.update(_nv12_ms(maps, engines, frames))
    figures["update_ms"] = _updates_ms(Tracker.open(engines, threads=1), frames)
    if opencv:
        figures["opencv_nano_ms"] = _opencv_ms(opencv, frames)
        figures["opencv_nano_ratio"] = figures["opencv_nano_ms"] / figures["update_ms"]
    if memory_frames:
        figures["memory_mib"] = _memory(Tracker.open(engines, threads=1), frames, memory_frames)
    if network:
        figures["network_ms"] = _network_ms(OnnxMatcher(engines, card, threads=1), frames)
    return figures


def _frames() -> list[Array]:
    """A few frames of smooth noise; a target at the same place in all."""
    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (4, 45, 80, 3), dtype=np.uint8)
    return [cv2.resize(picture, (_WIDTH_PX, _HEIGHT_PX), interpolation=cv2.INTER_CUBIC) for picture in small]


def _updates_ms(tracker: Tracker, frames: list[Array]) -> float:
    """Median of an update at the border."""
    return _median_ms(_updates(tracker, frames, _BOX), frames)


def _updates(tracker: Tracker, frames: list[Array], box: BoundingBox) -> Callable[[Frame], Any]:
    """An update, the target put back to *box* before each, so that every frame does the same work."""
    given = tracker.start(frames[0], box)

    def update(frame: Frame) -> None:
        tracker.go_on_from(given)
        tracker.update(frame)

    return update


def _nv12_ms(maps: _FixedMaps, engines: Path, frames: list[Array]) -> dict[str, float]:
    """Frames in NV12, converted where they are cropped or as a whole before, without a network and with it."""
    pixels, figures = [Nv12Frame.of_bgr(frame).pixels for frame in frames], {}
    first = cv2.cvtColor(pixels[0], cv2.COLOR_YUV2BGR_NV12)
    ways: dict[str, Callable[[], Tracker]] = {
        "glue": lambda: Tracker(HostLocator(maps)),
        "update": lambda: Tracker.open(engines, threads=1),
    }
    for part, opened in ways.items():
        ours, theirs = (_updates(opened(), [first], _INSIDE) for _ in range(2))
        calls = [partial(_in_nv12, ours), partial(_converted_first, theirs)]
        ours_ms, theirs_ms = _medians_ms(calls, pixels)
        figures.update({f"nv12_{part}_ms": ours_ms, f"nv12_{part}_converted_first_ms": theirs_ms})
        figures[f"nv12_{part}_ratio"] = theirs_ms / ours_ms
    return figures


def _in_nv12(update: Callable[[Frame], Any], pixels: Array) -> None:
    update(Nv12Frame(pixels))


def _converted_first(update: Callable[[Frame], Any], pixels: Array) -> None:
    update(cv2.cvtColor(pixels, cv2.COLOR_YUV2BGR_NV12))


def _resizing(card: ModelCard, box: BoundingBox) -> Callable[[Array], Any]:
    """OpenCV's resize of the search region alone, which no way around the network does without."""
    side, out = search_square(Place.given(box), card, card.search).side_px, (card.search.search_px,) * 2

    def resize(frame: Array) -> Array:
        scaled: Array = cv2.resize(frame[:side, :side], out, interpolation=cv2.INTER_LINEAR)
        return scaled

    return resize


def _median_ms(call: Callable[[Array], Any], frames: list[Array]) -> float:
    return _medians_ms([call], frames)[0]


def _medians_ms(calls: Sequence[Callable[[Array], Any]], frames: list[Array]) -> list[float]:
    """Medians of each of *calls*, which take turns on every frame, so that a busy second hits them all."""
    samples_ns: list[list[int]] = [[] for _ in calls]
    for index in range(_WARM_UP + FRAMES):
        frame = frames[index % len(frames)]
        for call, samples in zip(calls, samples_ns):
            frame.max()  # or the first to read a frame would find it in no cache; one that was just decoded is in one
            started_ns = time.perf_counter_ns()
            call(frame)
            samples.append(time.perf_counter_ns() - started_ns)
    return [statistics.median(samples[_WARM_UP:]) / 1e6 for samples in samples_ns]


def _network_ms(matcher: OnnxMatcher, frames: list[Array]) -> float:
    """Search and xcorr alone."""
    square = Square(*_BOX.center, 300, matcher.card.search.search_px)
    matcher.remember(frames[0], Square(*_BOX.center, 150, matcher.card.template_px), (0, 0, 0))
    samples = [matcher.match(frames[index % len(frames)], square, (0, 0, 0)) for index in range(_WARM_UP + FRAMES)]
    return statistics.median(answer.times["search"] + answer.times["xcorr"] for answer in samples[_WARM_UP:]) / 1e6


def _opencv_ms(opencv: Opencv, frames: list[Array]) -> float:
    tracker = OpencvTracker(opencv)
    tracker.start(frames[0], _BOX)
    return _median_ms(tracker.update, frames)


def _memory(tracker: Tracker, frames: list[Array], count: int) -> dict[str, float | None]:
    """Resident memory at the start, in the middle and at the end of a long run, and its peak, in MiB."""
    tracker.start(frames[0], _BOX)
    marks: dict[str, float | None] = {}
    for index in range(count):
        tracker.update(frames[index % len(frames)])
        if index in (200, count // 2, count - 1):
            marks[f"frame {index}"] = _resident_mib()
    # The kernel's own peak is counted more coarsely, and may lie below what was just read.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    marks["peak"] = max([peak, *(mark for mark in marks.values() if mark is not None)])
    return marks


def _resident_mib() -> float | None:
    """Resident memory; None where the system does not show it."""
    if platform.system() != "Linux":
        return None
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20
