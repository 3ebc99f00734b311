"""``python -m benchmarks overhead``: a frame beside the network, and a whole update beside other trackers."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import Any

from benchmarks.evaluation.options import declare
from benchmarks.profiling.overheads.update import FRAMES, measure
from benchmarks.trials import child
from siamtrt import Manifest, MissingDependencyError, ModelCard, UsageError, documents
from siamtrt.environment import describe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    declare(parser, "engines", required=["engines"])
    parser.add_argument("--opencv-backbone", type=Path, help="backbone ONNX file of OpenCV's TrackerNano")
    parser.add_argument("--opencv-head", type=Path, help="its head")
    parser.add_argument("--checkpoint", type=Path, help="time the same network in eager PyTorch too")
    parser.add_argument("--memory-frames", type=int, default=0, help="also track so many frames and watch the memory")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")


def main(options: argparse.Namespace) -> None:
    """Measure engines of ONNX Runtime, and print."""
    if (options.opencv_backbone is None) != (options.opencv_head is None):
        raise UsageError("OpenCV's TrackerNano needs both of its files", hint="--opencv-backbone and --opencv-head")
    Manifest.load(options.engines, stage="engines")
    files = (options.opencv_backbone, options.opencv_head) if options.opencv_head else None
    figures: dict[str, Any] = {"environment": describe(), "command": " ".join(sys.argv), "unit": "ms, median"}
    figures.update(measure(options.engines, files, bool(options.checkpoint), options.memory_frames))
    if options.checkpoint:
        figures["network_torch_ms"] = torch_ms(ModelCard.load(options.engines).name, options.checkpoint)
        figures["torch_ratio"] = figures["network_torch_ms"] / figures["network_ms"]
    if options.out:
        documents.write(options.out, figures)
    for name, value in figures.items():
        if name not in ("environment", "command"):
            print(f"{name:24} {value:.3f}" if isinstance(value, float) else f"{name:24} {value}")


def torch_ms(model: str, checkpoint: Path) -> float:
    """The same two graphs in eager PyTorch, in a process of its own, since this package never imports torch.

    Raises:
        MissingDependencyError: there is no PyTorch here.
        PipelineError: what that process reported.
    """
    if importlib.util.find_spec("torch") is None:
        raise MissingDependencyError(
            "PyTorch is not installed here", hint="leave --checkpoint out, or use a workstation"
        )
    return float(child.output(["networks.stopwatch", "--model", model, "--checkpoint", checkpoint, "--frames", FRAMES]))
