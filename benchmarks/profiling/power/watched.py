"""A probe that samples in the background of a measured run, after an idle stretch; or alone, for some seconds."""

from __future__ import annotations

import logging
import resource
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Iterator, Sequence

from benchmarks.profiling.power.energy import Window
from benchmarks.profiling.power.power_report import PowerReport
from benchmarks.profiling.power.probe import AUTO, NONE, ProbeChoice, open_probe
from benchmarks.profiling.power.rails import Reading
from benchmarks.profiling.power.sampler import Sampler
from benchmarks.profiling.power.summary import Recording, report_of
from siamtrt import ProbeError

log = logging.getLogger(__name__)


class Watched:
    """The power that is seen beside a run.

    Args:
        sampler: running; None where there is no probe.
        interval_s: between two readings, as it was asked of the probe.
        reason: why there is none.
    """

    def __init__(self, sampler: Sampler | None, interval_s: float, reason: str = "") -> None:
        self._sampler, self._interval_s, self._reason = sampler, interval_s, reason
        self._idle: Window | None = None

    def rest(self, seconds: float) -> None:
        """Sleep, to learn what the machine draws at rest."""
        if self._sampler and seconds > 0:
            log.info("resting for %g s to read the power at idle", seconds)
            started_ns = time.perf_counter_ns()
            time.sleep(seconds)
            self._idle = (started_ns, time.perf_counter_ns())

    def finish(self) -> None:
        """Stop sampling, after one more reading."""
        if self._sampler:
            self._sampler.stop()

    def readings(self, windows: Sequence[Window]) -> tuple[Reading, ...]:
        """What was read from the start of the first window to the end of the last."""
        recording = self._recording()
        return tuple(sample.reading for sample in recording.within(windows)) if recording else ()

    def report(self, windows: Sequence[Window], *, frames: int, timed_ns: int, origin_ns: int) -> PowerReport:
        """Sum up what was seen; call :meth:`finish` before."""
        recording = self._recording()
        if recording is None:
            return PowerReport.absent(self._reason)
        report = report_of(recording, windows, frames=frames, timed_ns=timed_ns, origin_ns=origin_ns)
        if report.load is None:
            log.warning("no figures of power: %s", report.reasons["load"])
        return report

    def _recording(self) -> Recording | None:
        if self._sampler is None:
            return None
        return Recording(self._sampler.name, self._interval_s, self._sampler.samples, self._sampler.error, self._idle)


@contextmanager
def watching(choice: ProbeChoice, idle_s: float) -> Iterator[Watched]:
    """Sample while the block runs, after *idle_s* seconds of rest. With ``auto`` a machine without sensors is no error.

    Raises:
        ProbeError: a probe that was asked for by name does not work.
        MissingDependencyError: it is not installed.
    """
    if choice.name == NONE:
        yield Watched(None, choice.interval_s, "power was not asked for")
        return
    try:
        probe = open_probe(choice)
    except ProbeError as error:
        if choice.name != AUTO:
            raise
        log.info("power is not measured: %s", error.problem)
        yield Watched(None, choice.interval_s, error.problem)
        return
    with Sampler(probe) as sampler:
        watched = Watched(sampler, choice.interval_s)
        watched.rest(idle_s)
        yield watched


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


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
