"""``python -m benchmarks chain``: a frame on TensorRT, chained on the GPU and through the host, in one run."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from benchmarks.evaluation.options import declare
from benchmarks.profiling.overheads.chain.ways import ChainTimes, measure
from benchmarks.profiling.speed.conditions import warn_before
from sequences.annotated import load_sequence
from siamtrt import Manifest, UsageError, cli, documents
from siamtrt.cli import command_line
from siamtrt.environment import describe
from siamtrt.libraries import tensorrt as library


def add_arguments(parser: argparse.ArgumentParser) -> None:
    declare(parser, "engines", required=["engines"])
    parser.add_argument("--clip", type=Path, required=True, help="folder written by python -m benchmarks clip")
    parser.add_argument("--frames", type=int, default=300, help="how many to time; a short clip is tracked again")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    cli.add_json(parser)


def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    manifest = Manifest.load(options.engines, stage="engines")
    library.load(library.name_of(manifest.environment))
    if manifest.settings.get("backend") not in ("tensorrt", "typed"):
        raise UsageError(f"{options.engines} holds no TensorRT engines", hint="make engines BACKEND=tensorrt")
    if options.frames < 1:
        raise UsageError("nothing would be timed", hint="--frames 300")
    warn_before()
    times = measure(options.engines, manifest, load_sequence(options.clip), options.frames)
    if options.out:
        provenance = {"environment": describe(), "engines_manifest": asdict(manifest)}
        documents.write(options.out, {"command": command_line("benchmarks"), **asdict(times), **provenance})
    cli.show(options, "\n".join(_lines(times)), times)


def _lines(times: ChainTimes) -> list[str]:
    """What is printed."""
    lines = [
        f"{name:30} p50 {update.p50:8.3f} ms  p90 {update.p90:8.3f} ms  p99 {update.p99:8.3f} ms"
        for name, update in times.updates_ms.items()
    ]
    lines += [f"{name:30} {microseconds:12.1f} us" for name, microseconds in times.kernels.kernels_us.items()]
    lines.append(f"through the host a frame copies {times.host_bytes / 1e6:.1f} MB in {times.host_copies} copies")
    lines.append(f"through the host / on the GPU: {times.ratio:.2f}")
    return lines + [f"warning: {warning}" for warning in times.warnings]
