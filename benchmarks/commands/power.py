"""``python -m benchmarks power``: what the board draws over some seconds, e.g. idle, or while another command runs."""

from __future__ import annotations

import argparse
import threading
from dataclasses import asdict
from pathlib import Path

from benchmarks.profiling.power.probe import NONE, ProbeChoice, add_probe_arguments
from benchmarks.profiling.power.watched import Watch, watch
from siamtrt import UsageError, cli
from siamtrt.documents import Format
from siamtrt.environment import describe

_FORMAT = Format("a watch of power", schema=1, hint="write it anew with python -m benchmarks power", kind="power")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_probe_arguments(parser)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--out", type=Path, help="write figures, samples and environment as JSON")
    cli.add_json(parser)


def main(options: argparse.Namespace) -> None:
    """Watch, and print mean, 95th percentile and peak of each rail."""
    choice = ProbeChoice.of(options)
    if choice.name == NONE:
        raise UsageError("there is nothing to watch without a probe", hint="--probe auto")
    if not 0 < options.seconds <= threading.TIMEOUT_MAX:  # neither is nan
        raise UsageError(f"cannot watch for {options.seconds} seconds", hint="--seconds 10")
    seen = watch(choice, options.seconds)
    if options.out:
        _FORMAT.save(options.out, {**asdict(seen), "environment": describe(options.root)}, indent=None)
    cli.show(options, table(seen), seen)


def table(seen: Watch) -> str:
    """A line a rail, watts."""
    lines = [f"{'rail':16} {'mean W':>8} {'p95 W':>8} {'peak W':>8} {'energy J':>9}"]
    for name, rail in (seen.report.load or {}).items():
        lines.append(f"{name:16} {rail.mean_w:8.3f} {rail.p95_w:8.3f} {rail.peak_w:8.3f} {rail.energy_j:9.2f}")
    rate, share = seen.readings_a_second, seen.reader_cpu_share
    lines.append(f"{seen.report.probe}: {rate:.1f} readings a second cost {share:.2%} of one core")
    return "\n".join(lines)
