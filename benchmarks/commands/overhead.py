"""``python -m benchmarks overhead``: a frame beside the network, and a whole update beside other trackers."""

from __future__ import annotations

import argparse
import importlib.util
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.evaluation.opencv import NANO, Opencv, declare_files
from benchmarks.evaluation.options import declare
from benchmarks.profiling.overheads.update import FRAMES, measure
from benchmarks.trials import child
from siamtrt import Manifest, MissingDependencyError, ModelCard, cli, documents
from siamtrt.cli import command_line
from siamtrt.environment import describe

_BESIDE = (
    ("everything but the network", "glue_{}_ms", 3),
    ("the same steps done PySOT's way", "glue_{}_upstream_way_ms", 3),
    ("  times ours", "glue_{}_ratio", 2),
    ("OpenCV's resize alone, in both", "resize_{}_ms", 3),
)
_WHOLE = (
    ("a whole update, crop to box", "update_ms", 3),
    ("all but the network, from NV12", "nv12_glue_ms", 3),
    ("the same, the frame converted first", "nv12_glue_converted_first_ms", 3),
    ("  times ours", "nv12_glue_ratio", 2),
    ("a whole update, from NV12", "nv12_update_ms", 3),
    ("the same, the frame converted first", "nv12_update_converted_first_ms", 3),
    ("  times ours", "nv12_update_ratio", 2),
    ("OpenCV's TrackerNano", "opencv_nano_ms", 3),
    ("  times ours", "opencv_nano_ratio", 2),
    ("search and xcorr alone", "network_ms", 3),
    ("the same in eager PyTorch", "network_torch_ms", 3),
    ("  times ours", "torch_ratio", 2),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    declare(parser, "engines", required=["engines"])
    declare_files(parser)
    parser.add_argument("--checkpoint", type=Path, help="time the same network in eager PyTorch too")
    parser.add_argument("--memory-frames", type=int, default=0, help="also track so many frames and watch the memory")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    cli.add_json(parser)


def main(options: argparse.Namespace) -> None:
    """Measure engines of ONNX Runtime, and print."""
    files = (options.opencv_backbone, options.opencv_head)
    opencv = Opencv(NANO, *files) if any(files) else None
    manifest = Manifest.load(options.engines, stage="engines")
    figures: dict[str, Any] = {
        "environment": describe(),
        "command": command_line("benchmarks"),
        "engines_manifest": asdict(manifest),
        "threads": 1,
        "unit": "ms, median",
    }
    figures.update(measure(options.engines, opencv, bool(options.checkpoint), options.memory_frames))
    if options.checkpoint:
        figures["network_torch_ms"] = torch_ms(ModelCard.load(options.engines).name, options.checkpoint)
        figures["torch_ratio"] = figures["network_torch_ms"] / figures["network_ms"]
    if options.out:
        documents.write(options.out, figures)
    cli.show(options, table(figures), figures)


def table(figures: dict[str, Any]) -> str:
    """The figures as lines for the terminal: beside the network in both places, then whole updates and memory."""
    lines = [f"{'ms, median, one thread':36} {'inside':>10} {'at the border':>14}"]
    for words, name, digits in _BESIDE:
        values = (figures[name.format(place)] for place in ("inside", "border"))
        lines.append("{:36} {:>10} {:>14}".format(words, *(f"{value:.{digits}f}" for value in values)))
    lines += [f"{words:36} {figures[name]:10.{digits}f}" for words, name, digits in _WHOLE if name in figures]
    marks = [f"{name} {mib:.1f}" for name, mib in figures.get("memory_mib", {}).items() if mib is not None]
    return "\n".join([*lines, *([f"{'memory, MiB':36} {', '.join(marks)}"] if marks else [])])


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
