"""``python -m benchmarks power``: what the board draws over some seconds, e.g. idle, or while another command runs."""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import subprocess
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Tuple

from benchmarks.power.energy import Power, Sample, summarise
from benchmarks.power.ina3221 import read_rails
from benchmarks.power.rails import Rail
from benchmarks.power.tegrastats import parse_rails
from siamtrt import ProbeError, UsageError
from siamtrt.environment import describe
from siamtrt.files import write_text

Read = Callable[[], Tuple[Rail, ...]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--probe", choices=("ina3221", "tegrastats"), default="ina3221", help="sysfs, or the program")
    parser.add_argument("--tegrastats", default="tegrastats --interval 100", help="the command of that probe")
    parser.add_argument("--root", type=Path, default=Path("/"), help="where /sys lies")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--interval-s", type=float, default=0.1, help="between two readings of sysfs")
    parser.add_argument("--out", type=Path, help="write summary, samples and environment as JSON")


def main(options: argparse.Namespace) -> None:
    """Watch, and print mean, 95th percentile and peak of each rail."""
    if options.seconds <= 0:
        raise UsageError(f"cannot watch for {options.seconds} seconds", hint="--seconds 10")
    with _reader(options) as read:
        samples = watch(read, options.seconds, 0.0 if options.probe == "tegrastats" else options.interval_s)
    power = summarise(samples, samples[0].time_ns, samples[-1].time_ns, frames=0)
    if options.out:
        document = {
            "power": asdict(power),
            "samples": [asdict(sample) for sample in samples],
            "environment": describe(options.root),
        }
        write_text(options.out, json.dumps(document, indent=1) + "\n")
    print(table(power))  # noqa: T201


def watch(read: Read, seconds: float, interval_s: float) -> List[Sample]:
    """Read until *seconds* have passed, at least twice.

    Raises:
        ProbeError: of *read*.
    """
    samples: List[Sample] = []
    end_ns = time.perf_counter_ns() + int(seconds * 1e9)
    while len(samples) < 2 or samples[-1].time_ns < end_ns:
        rails = read()
        samples.append(Sample(time.perf_counter_ns(), rails))
        time.sleep(interval_s)
    return samples


def table(power: Power) -> str:
    """A line a rail, watts."""
    lines = [f"{'rail':16} {'mean W':>8} {'p95 W':>8} {'peak W':>8} {'energy J':>9}"]
    for name, rail in power.rails.items():
        lines.append(f"{name:16} {rail.mean_w:8.3f} {rail.p95_w:8.3f} {rail.peak_w:8.3f} {rail.energy_j:9.2f}")
    return "\n".join(lines)


@contextlib.contextmanager
def _reader(options: argparse.Namespace) -> Iterator[Read]:
    if options.probe == "ina3221":
        yield partial(read_rails, options.root)
        return
    command = shlex.split(options.tegrastats)
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace")
    except OSError as error:
        raise ProbeError(f"cannot run {command[0]}: {error.strerror}", hint="it is a program of JetPack") from error
    with process:
        try:
            yield partial(_next_line, process)
        finally:
            process.terminate()


def _next_line(process: subprocess.Popen[str]) -> Tuple[Rail, ...]:
    line: Optional[str] = process.stdout.readline() if process.stdout else None
    if not line:
        raise ProbeError(f"tegrastats ended with code {process.wait()}", hint="run it by hand to see why")
    return parse_rails(line)
