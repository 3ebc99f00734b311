"""``python -m benchmarks speed``: frame rates, percentiles, stages and power of a tracker.

Either the engines are run on sequences, or the times that a VOT run kept are summed up. Skipped frames are never
counted, and the warm-up is kept apart.
"""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from typing import List, Optional, Tuple

from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.profiling.power.probe import ProbeChoice, add_probe_arguments
from benchmarks.profiling.power.report import PowerReport
from benchmarks.profiling.speed.figures import Distribution
from benchmarks.profiling.speed.report import SpeedReport
from benchmarks.profiling.speed.run import Settings, measure
from benchmarks.profiling.speed.vot_run import summarise
from sequences.annotated import load_sequence, load_sequences
from sequences.sequence import Sequence
from siamtrt import UsageError, cli
from siamtrt.cli import command_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--engines", type=Path, help="folder written by python -m engines")
    parser.add_argument("--sequences", type=Path, help="folder of NAME/color, NAME/groundtruth.txt")
    parser.add_argument("--only", nargs="+", default=[], help="names of the sequences to run; all by default")
    parser.add_argument("--clip", type=Path, help="one sequence in place of --sequences")
    parser.add_argument("--protocol", default="vot2018", help="says how long to wait after a failure")
    parser.add_argument("--warm-up", type=int, default=10, help="updates before each sequence, kept apart")
    parser.add_argument("--block-mib", type=int, default=512, help="memory for frames that are decoded ahead")
    parser.add_argument("--threads", type=cli.count, help="of the CPU backend; all cores by default")
    add_probe_arguments(parser)
    parser.add_argument("--idle-s", type=float, default=3.0, help="rest beforehand, to read the power at idle")
    parser.add_argument("--run", type=Path, help="in place of engines: the --out folder of python -m benchmarks vot")
    parser.add_argument("--tracker", help="name of the results in it")
    parser.add_argument("--out", type=Path, help="the report, a JSON file")


def main(options: argparse.Namespace) -> None:
    """Measure or read, write the report, and print it."""
    command = command_line("benchmarks")
    if options.run:
        if options.engines or not options.tracker:
            raise UsageError("a VOT run is named by its folder and tracker", hint="--run DIR --tracker NAME")
        report = summarise(options.run, options.tracker, command=command)
    else:
        settings = Settings(
            Protocol.load(options.protocol),
            threads=options.threads,
            warm_up_updates=options.warm_up,
            block_bytes=options.block_mib << 20,
            probe=ProbeChoice.of(options),
            idle_s=options.idle_s,
        )
        report = measure(*_work(options), settings, command=command)
    if options.out:
        report.save(options.out)
    print(table(report))  # noqa: T201


def table(report: SpeedReport) -> str:
    """The figures as lines for the terminal."""
    figures = report.figures
    lines = [
        f"{report.title}: {figures.frames} frames, {figures.starts} starts, {figures.skipped} skipped",
        f"{'FPS, pooled':26} {figures.fps_pooled:9.1f}",
        f"{'FPS, mean of the videos':26} {figures.fps_mean_of_videos:9.1f}   (as the thesis computes it)",
        f"{'ms':26} {'p50':>9} {'p90':>9} {'p95':>9} {'p99':>9} {'max':>9}",
        _line("update", figures.update_ms),
        _line("start", figures.start_ms),
        *(_line(f"  {stage}", found) for stage, found in figures.stages_ms.items()),
        *_power_lines(report.power),
        *(f"warning: {warning}" for warning in figures.warnings),
    ]
    return "\n".join(line for line in lines if line)


def _line(name: str, found: Optional[Distribution]) -> str:
    if found is None:
        return ""
    return f"{name:26} {found.p50:9.3f} {found.p90:9.3f} {found.p95:9.3f} {found.p99:9.3f} {found.max:9.3f}"


def _power_lines(power: PowerReport) -> List[str]:
    if power.load is None:
        return [f"power: not measured: {power.reasons['load']}"]
    lines = [f"{'W':26} {'mean':>9} {'p95':>9} {'peak':>9} {'idle':>9}"]
    for rail, found in power.load.items():
        idle = f"{power.idle[rail].mean_w:9.3f}" if power.idle else f"{'-':>9}"
        lines.append(f"{'  ' + rail:26} {found.mean_w:9.3f} {found.p95_w:9.3f} {found.peak_w:9.3f} {idle}")
    if power.joules_a_frame is not None:
        lines.append(f"{'J a frame':26} {power.joules_a_frame:9.4f}")
    return lines


def _work(options: argparse.Namespace) -> Tuple[Path, List[Sequence]]:
    """The engines and the sequences to run."""
    if options.engines is None or (options.sequences is None) == (options.clip is None):
        raise UsageError(
            "name the engines and what to run them on", hint="--engines DIR, and --sequences or --clip DIR"
        )
    if options.warm_up < 0:
        raise UsageError(f"cannot warm up with {options.warm_up} updates", hint="--warm-up 10")
    if not 0 <= options.idle_s <= threading.TIMEOUT_MAX:  # neither is nan
        raise UsageError(f"cannot rest for {options.idle_s} seconds", hint="--idle-s 3")
    if options.block_mib < 1:
        raise UsageError(f"cannot decode into {options.block_mib} MiB", hint="--block-mib 512")
    if options.clip:
        return options.engines, [load_sequence(options.clip)]
    return options.engines, load_sequences(options.sequences, tuple(options.only))
