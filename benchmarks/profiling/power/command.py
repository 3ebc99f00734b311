"""``python -m benchmarks power``: what the board draws over some seconds, e.g. idle, or while another command runs."""

from __future__ import annotations

import argparse
import json
import resource
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.profiling.power.probe import NONE, ProbeChoice, add_probe_arguments, open_probe
from benchmarks.profiling.power.report import PowerReport
from benchmarks.profiling.power.sampler import Sampler
from benchmarks.profiling.power.summary import Recording, report_of
from siamtrt import ProbeError, UsageError
from siamtrt.environment import describe
from siamtrt.files import write_text

SCHEMA, KIND = 1, "power"


@dataclass(frozen=True)
class Watch:
    """What was seen, and what looking cost.

    Attributes:
        report: ``load`` is over the whole time.
        readings_a_second: how many there were.
        reader_cpu_share: CPU time of this process / wall time: the cost of the reader, of one core. What ``tegrastats``
            or the service of jtop take is not in it.
    """

    report: PowerReport
    readings_a_second: float
    reader_cpu_share: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    add_probe_arguments(parser)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--out", type=Path, help="write figures, samples and environment as JSON")


def main(options: argparse.Namespace) -> None:
    """Watch, and print mean, 95th percentile and peak of each rail."""
    choice = ProbeChoice.of(options)
    if choice.name == NONE:
        raise UsageError("there is nothing to watch without a probe", hint="--probe auto")
    if not 0 < options.seconds <= threading.TIMEOUT_MAX:  # neither is nan
        raise UsageError(f"cannot watch for {options.seconds} seconds", hint="--seconds 10")
    seen = watch(choice, options.seconds)
    if options.out:
        document = {"schema": SCHEMA, "kind": KIND, **asdict(seen), "environment": describe(options.root)}
        write_text(options.out, json.dumps(document, allow_nan=False) + "\n")
    print(table(seen))  # noqa: T201


def watch(choice: ProbeChoice, seconds: float) -> Watch:
    """Sample for some seconds.

    Raises:
        ProbeError: the probe does not work, or stopped to.
        MissingDependencyError: it is not installed.
    """
    with Sampler(open_probe(choice)) as sampler:
        cpu_s, started_ns = _cpu_s(), time.perf_counter_ns()
        sampler.wait(seconds)
        ended_ns = time.perf_counter_ns()
        spent_s = _cpu_s() - cpu_s
        sampler.stop()
    recording = Recording(sampler.name, choice.interval_s, sampler.samples, sampler.error, None)
    window = (started_ns, ended_ns)
    report = report_of(recording, [window], frames=0, timed_ns=0, origin_ns=started_ns)
    if report.load is None:
        raise ProbeError(sampler.error or report.reasons["load"], hint="run the probe by hand to see why")
    elapsed_s = (ended_ns - started_ns) / 1e9
    return Watch(report, len(recording.within([window])) / elapsed_s, spent_s / elapsed_s)


def table(seen: Watch) -> str:
    """A line a rail, watts."""
    lines = [f"{'rail':16} {'mean W':>8} {'p95 W':>8} {'peak W':>8} {'energy J':>9}"]
    for name, rail in (seen.report.load or {}).items():
        lines.append(f"{name:16} {rail.mean_w:8.3f} {rail.p95_w:8.3f} {rail.peak_w:8.3f} {rail.energy_j:9.2f}")
    rate, share = seen.readings_a_second, seen.reader_cpu_share
    lines.append(f"{seen.report.probe}: {rate:.1f} readings a second cost {share:.2%} of one core")
    return "\n".join(lines)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
