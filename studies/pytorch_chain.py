"""The network in eager PyTorch beside its engines, in one run: ``python -m studies.pytorch_chain --help``.

Both go through the same tracker, crops and choice of the box, so what differs is the network alone. Each follows every
sequence under the reset protocol, for EAO and failures; then both update the same frames in turns, on as many threads,
the first one changing, for the time of a frame. Workstation only: the board has no PyTorch.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from benchmarks.evaluation.vot.annotations import as_annotations, load
from benchmarks.evaluation.vot.measures import Measures, measure, table
from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.evaluation.vot.results import result_path, write
from benchmarks.evaluation.vot.run import follow
from networks.checkpoint import load as load_network
from networks.tracker import TrackerNetwork
from runtime.crop import crop, network_input
from runtime.frames import Frame
from runtime.locator import HostLocator
from runtime.matcher import Color, Response, StageTimes
from runtime.tracker import Tracker
from sequences.annotated import load_sequences
from sequences.sequence import Sequence
from siamtrt import Array, BoundingBox, InferenceError, Manifest, ModelCard, cli, documents
from siamtrt.environment import describe
from siamtrt.files import write_text
from siamtrt.geometry import Square

PYTORCH, ENGINES = "PyTorch", "engines"
_WARM_UP = 5


class TorchMatcher:
    """A :class:`runtime.matcher.Matcher` that evaluates a network eagerly.

    Args:
        network: of the model, in evaluation mode.
        card: of the model.
    """

    def __init__(self, network: TrackerNetwork, card: ModelCard) -> None:
        self.card, self._network = card, network
        self._kernels: dict[str, torch.Tensor] = {}

    @torch.inference_mode()
    def remember(self, frame: Frame, square: Square, fill: Color) -> StageTimes:
        self._kernels = self._network.template(_picture(frame, square, fill))
        return {}

    @torch.inference_mode()
    def match(self, frame: Frame, square: Square, fill: Color) -> Response:
        if not self._kernels:
            raise InferenceError("no target was remembered", hint="call remember first")
        started_ns = time.perf_counter_ns()
        cls, loc = self._network.correlate(self._network.search(_picture(frame, square, fill)), self._kernels)
        return Response(cls[0].numpy(), loc[0].numpy(), {"network": time.perf_counter_ns() - started_ns})

    def close(self) -> None:
        """Forget the target."""
        self._kernels = {}


class Boxes:
    """A :class:`benchmarks.evaluation.trackers.BoxTracker` on a tracker."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def start(self, frame: Array, box: BoundingBox) -> None:
        self.tracker.start(frame, box)

    def update(self, frame: Array) -> BoundingBox | None:
        return self.tracker.update(frame).box


def main(options: argparse.Namespace) -> None:
    """Judge and time both, print, and write a file."""
    torch.set_num_threads(options.threads)
    card, protocol = ModelCard.load(options.engines), Protocol.load("vot2018")
    network = load_network(card.name, options.checkpoint).eval()
    trackers = {
        PYTORCH: Boxes(Tracker(HostLocator(TorchMatcher(network, card)))),
        ENGINES: Boxes(Tracker.open(options.engines, threads=options.threads)),
    }
    videos = load_sequences(options.sequences, ())
    measures = _judged(trackers, videos, protocol, options.out)
    samples_ms = _timed(trackers, videos, options.frames)
    medians = {name: statistics.median(column) for name, column in samples_ms.items()}
    ratio = statistics.median(theirs / ours for theirs, ours in zip(samples_ms[PYTORCH], samples_ms[ENGINES]))
    document = {
        "command": cli.command_line("studies.pytorch_chain"),
        "model": card.name,
        "threads": options.threads,
        "torch": torch.__version__,
        "measures": {name: asdict(of_one) for name, of_one in measures.items()},
        "frame_ms": medians,
        "ratio": ratio,
        "environment": describe(),
        "engines_manifest": asdict(Manifest.load(options.engines, stage="engines")),
    }
    write_text(options.out / "pytorch_chain.json", json.dumps(document) + "\n")
    print(table(measures))  # noqa: T201
    for name, frame_ms in medians.items():
        print(f"{name:10} {frame_ms:8.2f} ms a frame, {1000 / frame_ms:6.1f} FPS")  # noqa: T201
    print(f"{PYTORCH} / {ENGINES}: {ratio:.2f}")  # noqa: T201


def _judged(trackers: dict[str, Boxes], videos: list[Sequence], protocol: Protocol, out: Path) -> dict[str, Measures]:
    """EAO and failures of each tracker; raw results in *out*."""
    for video in videos:
        for name, tracker in trackers.items():
            path = result_path(out / "results", name, video.name)
            write(path, follow(tracker, video, protocol).entries)
    documents.write(out / "annotations.json", as_annotations(videos, protocol.tags), indent=None)
    truths = load(out / "annotations.json", protocol.tags, tuple(video.name for video in videos))
    return {name: measure(name, out / "results", truths, protocol) for name in trackers}


def _timed(trackers: dict[str, Boxes], videos: list[Sequence], frames: int) -> dict[str, list[float]]:
    """Milliseconds of each update, on the first *frames* of every video; a tracker that loses its target goes on."""
    samples: dict[str, list[float]] = {name: [] for name in trackers}
    for video in videos:
        for tracker in trackers.values():
            tracker.start(video.frame(0), video.start_box(0))
        for index in range(1, min(len(video), frames)):
            frame = video.frame(index)
            for name in list(trackers)[:: 1 if index % 2 else -1]:
                started_ns = time.perf_counter_ns()
                trackers[name].update(frame)
                if index > _WARM_UP:
                    samples[name].append((time.perf_counter_ns() - started_ns) / 1e6)
    return samples


def _picture(frame: Frame, square: Square, fill: Color) -> torch.Tensor:
    picture = np.empty((1, 3, square.out_px, square.out_px), np.float32)
    network_input(crop(frame, square, fill), picture)
    return torch.from_numpy(picture)


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.pytorch_chain", "EAO and time of a frame of a network in PyTorch and as engines.")
    arguments.add_argument("--checkpoint", type=Path, required=True, help="what the engines were exported from")
    arguments.add_argument("--engines", type=Path, required=True, help="folder written by python -m engines")
    arguments.add_argument("--sequences", type=Path, required=True, help="folder of sequences")
    arguments.add_argument("--frames", type=cli.count, default=60, help="that are timed of each sequence")
    arguments.add_argument("--threads", type=cli.count, default=1)
    arguments.add_argument("--out", type=Path, required=True, help="folder of the results and the figures")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
