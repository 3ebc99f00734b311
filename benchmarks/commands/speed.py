"""``python -m benchmarks speed``: frame rates, percentiles, stages and power of a tracker.

Either the engines are run on sequences, or the times that a VOT run kept are summed up. Skipped frames are never
counted, and the warm-up is kept apart.
"""

from __future__ import annotations

import argparse
import threading
from pathlib import Path

from benchmarks.evaluation.options import RunOptions, declare
from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.profiling.power.probe import ProbeChoice, add_probe_arguments
from benchmarks.profiling.speed.conditions import warn_before
from benchmarks.profiling.speed.run import Settings, measure
from benchmarks.profiling.speed.table import table
from benchmarks.profiling.speed.vot_run import summarise
from sequences.annotated import load_sequence
from sequences.sequence import Sequence
from siamtrt import UsageError, cli
from siamtrt.cli import command_line
from siamtrt.libraries.cuda import WAITS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    declare(parser, "engines", "sequences", "only", "protocol", "threads")
    parser.add_argument("--clip", type=Path, help="one sequence in place of --sequences")
    parser.add_argument("--warm-up", type=int, default=10, help="updates before each sequence, kept apart")
    parser.add_argument("--block-mib", type=int, default=512, help="memory for frames that are decoded ahead")
    parser.add_argument("--wait", choices=WAITS, help="for the GPU: on a core, the default, or asleep")
    add_probe_arguments(parser)
    parser.add_argument("--idle-s", type=float, default=3.0, help="rest beforehand, to read the power at idle")
    parser.add_argument("--run", type=Path, help="in place of engines: the --out folder of python -m benchmarks vot")
    parser.add_argument("--tracker", help="name of the results in it")
    parser.add_argument("--out", type=Path, help="the report, a JSON file")
    cli.add_json(parser)


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
            wait=options.wait,
            warm_up_updates=options.warm_up,
            block_bytes=options.block_mib << 20,
            probe=ProbeChoice.of(options),
            idle_s=options.idle_s,
        )
        warn_before(settings.probe.root)
        report = measure(options.engines, _sequences(options), settings, command=command)
    cli.show(options, table(report), report)  # first, so that no failure to write takes the figures along
    if options.out:
        report.save(options.out)


def _sequences(options: argparse.Namespace) -> list[Sequence]:
    """What to run the engines on."""
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
        return [load_sequence(options.clip)]
    return RunOptions.of(options).load(options.sequences)
