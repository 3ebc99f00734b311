"""A frame on TensorRT, chained on the GPU and through the host, in one run.

The same plans follow the same target through the same frames in each way, a frame in turn, so a noisy moment hits all.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.profiling.overheads.chain.kernel_times import KernelTimes, kernel_times
from benchmarks.profiling.overheads.chain.through_host import HostChain
from benchmarks.profiling.speed.figures import Distribution, distribution, doubts
from runtime.locator import HostLocator
from runtime.tensorrt.chain import ChainOptions
from runtime.tensorrt.locator import open_targets
from runtime.tracker import Tracker
from sequences.sequence import Sequence
from siamtrt import Manifest, ModelCard, ParityError
from siamtrt.libraries.cuda import SPIN
from siamtrt.progress import progress_bar

OURS, THEIRS = "on the GPU, CUDA graph", "through the host"
_PLAIN, _MAPS = "on the GPU, step by step", "on the GPU, maps to the host"
_WARM_UP = 20
_ALIKE_PX = 1.0


@dataclass(frozen=True)
class ChainTimes:
    """What a frame takes with one folder of engines.

    Attributes:
        updates_ms: way -> whole updates, crop to box.
        samples_ns: way -> each of them, raw.
        ratio: median through the host / median on the GPU with CUDA graph and decode.
        kernels: of this project's CUDA kernels alone.
        host_bytes: what the way through the host copies a frame, with two waits.
        host_copies: in how many copies it does.
        differ_px: way -> median over the frames of the largest difference of a box to the first way's.
        warnings: what makes the times doubtful.
    """

    updates_ms: dict[str, Distribution]
    samples_ns: dict[str, tuple[int, ...]]
    ratio: float
    kernels: KernelTimes
    host_bytes: int
    host_copies: int
    differ_px: dict[str, float]
    warnings: tuple[str, ...]


def measure(engines: Path, manifest: Manifest, clip: Sequence, frames: int) -> ChainTimes:
    """Time every way.

    Args:
        engines: of the model.
        manifest: of the engines.
        clip: its first frame's box is the target.
        frames: how many updates of each way are timed.

    Raises:
        MissingDependencyError: TensorRT, CUDA or the compiled kernels are not on this machine.
        ParityError: a way answers otherwise than the first.
    """
    card = ModelCard.load(engines)
    with contextlib.ExitStack() as stack:
        ways = {}
        ours = ChainOptions(wait=SPIN)
        choices = {OURS: ours, _PLAIN: replace(ours, graphs=False), _MAPS: replace(ours, decode=False)}
        for name, choice in choices.items():
            (locator,) = open_targets(engines, card, manifest, options=choice)
            ways[name] = stack.enter_context(Tracker(locator))
        through_host = HostChain(engines, card)
        ways[THEIRS] = stack.enter_context(Tracker(HostLocator(through_host)))
        samples, boxes = _times(ways, clip, frames)
        host_bytes, host_copies = through_host.bytes_a_frame, through_host.copies_a_frame
    differ_px = {name: float(np.median(np.abs(boxes[name] - boxes[OURS]).max(1))) for name in ways if name != OURS}
    for name, difference in differ_px.items():
        if not difference <= _ALIKE_PX:
            raise ParityError(f"the boxes {name} are {difference:.2f} px off those {OURS}: times say nothing then")
    updates = {name: distribution(np.array(column)) for name, column in samples.items()}
    return ChainTimes(
        updates_ms=updates,
        samples_ns=samples,
        ratio=updates[THEIRS].p50 / updates[OURS].p50,
        kernels=kernel_times(card),
        host_bytes=host_bytes,
        host_copies=host_copies,
        differ_px=differ_px,
        warnings=tuple(f"{name}: {doubt}" for name in (OURS, THEIRS) for doubt in doubts(np.array(samples[name]))),
    )


def _times(
    ways: dict[str, Tracker], clip: Sequence, frames: int
) -> tuple[dict[str, tuple[int, ...]], dict[str, np.ndarray]]:
    """Nanoseconds and boxes of each update after the warm-up."""
    samples: dict[str, list[int]] = {name: [] for name in ways}
    boxes: dict[str, list[tuple[float, ...]]] = {name: [] for name in ways}
    for count in progress_bar(range(_WARM_UP + frames), desc="chain", unit="frame"):
        index = count % (len(clip) - 1)
        if index == 0:
            for tracker in ways.values():
                tracker.start(clip.frame(0), clip.start_box(0))
        frame = clip.frame(index + 1)
        for name, tracker in ways.items():
            started_ns = time.perf_counter_ns()
            box = tracker.update(frame).box
            samples[name].append(time.perf_counter_ns() - started_ns)
            boxes[name].append((box.x, box.y, box.width, box.height))
    return (
        {name: tuple(column[_WARM_UP:]) for name, column in samples.items()},
        {name: np.array(column[_WARM_UP:]) for name, column in boxes.items()},
    )
