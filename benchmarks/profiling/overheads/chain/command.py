"""``python -m benchmarks chain``: a frame on TensorRT, chained on the GPU and through the host, in one run.

The same plans follow the same target through the same frames in each way, a frame in turn, so a noisy moment hits all.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np
from tqdm import tqdm

from benchmarks.profiling.overheads.chain.kernel_times import KernelTimes, kernel_times
from benchmarks.profiling.overheads.chain.through_host import HostChain
from benchmarks.profiling.speed.figures import Distribution, distribution, doubts
from runtime.locator import HostLocator
from runtime.tensorrt.chain import ChainOptions
from runtime.tensorrt.locator import open_targets
from runtime.tracker import Tracker
from sequences.annotated import load_sequence
from sequences.sequence import Sequence
from siamtrt import Manifest, ModelCard, ParityError, UsageError
from siamtrt.cli import command_line
from siamtrt.environment import describe
from siamtrt.files import write_text
from siamtrt.libraries import tensorrt as library

OURS, THEIRS = "on the GPU, CUDA graph", "through the host"
_PLAIN, _MAPS = "on the GPU, step by step", "on the GPU, maps to the host"
_WARM_UP = 20
_ALIKE_PX = 1.0


@dataclass(frozen=True)
class ChainTimes:
    """Of one folder of engines.

    Attributes:
        updates_ms: way -> whole updates, crop to box.
        samples_ns: way -> each of them, raw.
        ratio: median through the host / median on the GPU with CUDA graph and decode.
        kernels: of this project's CUDA kernels alone.
        host_bytes: what the way through the host copies a frame; in ``host_copies`` copies, with two waits.
        host_copies: see there.
        differ_px: way -> median over the frames of the largest difference of a box to the first way's.
        warnings: what makes the times doubtful.
    """

    updates_ms: Dict[str, Distribution]
    samples_ns: Dict[str, Tuple[int, ...]]
    ratio: float
    kernels: KernelTimes
    host_bytes: int
    host_copies: int
    differ_px: Dict[str, float]
    warnings: Tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--engines", type=Path, required=True, help="folder of engines built for tensorrt")
    parser.add_argument("--clip", type=Path, required=True, help="folder written by python -m benchmarks clip")
    parser.add_argument("--frames", type=int, default=300, help="how many to time; a short clip is tracked again")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")


def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    library.load("tensorrt")
    manifest = Manifest.load(options.engines, stage="engines")
    if manifest.settings.get("backend") != "tensorrt":
        raise UsageError(f"{options.engines} holds no TensorRT engines", hint="make engines BACKEND=tensorrt")
    if options.frames < 1:
        raise UsageError("nothing would be timed", hint="--frames 300")
    found = measure(options.engines, manifest, load_sequence(options.clip), options.frames)
    if options.out:
        provenance = {"environment": describe(), "engines_manifest": asdict(manifest)}
        document = {"command": command_line("benchmarks"), **asdict(found), **provenance}
        write_text(options.out, json.dumps(document, indent=1) + "\n")
    for line in _lines(found):
        print(line)  # noqa: T201


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
        choices = {OURS: ChainOptions(), _PLAIN: ChainOptions(graphs=False), _MAPS: ChainOptions(decode=False)}
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
    ways: Dict[str, Tracker], clip: Sequence, frames: int
) -> Tuple[Dict[str, Tuple[int, ...]], Dict[str, np.ndarray]]:
    """Nanoseconds and boxes of each update after the warm-up."""
    samples: Dict[str, List[int]] = {name: [] for name in ways}
    boxes: Dict[str, List[Tuple[float, ...]]] = {name: [] for name in ways}
    for count in tqdm(range(_WARM_UP + frames), desc="chain", unit="frame"):
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


def _lines(found: ChainTimes) -> List[str]:
    """What is printed."""
    lines = [
        f"{name:30} p50 {times.p50:8.3f} ms  p90 {times.p90:8.3f} ms  p99 {times.p99:8.3f} ms"
        for name, times in found.updates_ms.items()
    ]
    lines += [f"{name:30} {microseconds:12.1f} us" for name, microseconds in found.kernels.kernels_us.items()]
    lines.append(f"through the host a frame copies {found.host_bytes / 1e6:.1f} MB in {found.host_copies} copies")
    lines.append(f"through the host / on the GPU: {found.ratio:.2f}")
    return lines + [f"warning: {warning}" for warning in found.warnings]
