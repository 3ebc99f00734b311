"""A probe that samples in the background of a measured run, after an idle stretch."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import Iterator, Optional, Sequence, Tuple

from benchmarks.profiling.power.energy import Window
from benchmarks.profiling.power.probe import AUTO, NONE, ProbeChoice, open_probe
from benchmarks.profiling.power.rails import Reading
from benchmarks.profiling.power.report import PowerReport
from benchmarks.profiling.power.sampler import Sampler
from benchmarks.profiling.power.summary import Recording, report_of
from siamtrt import ProbeError

log = logging.getLogger(__name__)


class Watched:
    """What is seen beside a run.

    Args:
        sampler: running; None where there is no probe.
        interval_s: asked of it.
        reason: why there is none.
    """

    def __init__(self, sampler: Optional[Sampler], interval_s: float, reason: str = "") -> None:
        self._sampler, self._interval_s, self._reason = sampler, interval_s, reason
        self._idle: Optional[Window] = None

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

    def readings(self, windows: Sequence[Window]) -> Tuple[Reading, ...]:
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

    def _recording(self) -> Optional[Recording]:
        if self._sampler is None:
            return None
        return Recording(self._sampler.name, self._interval_s, self._sampler.samples, self._sampler.error, self._idle)


@contextmanager
def watching(choice: ProbeChoice, idle_s: float) -> Iterator[Watched]:
    """Sample while the block runs, after *idle_s* seconds of rest. With ``auto`` a machine without sensors is no error.

    Raises:
        ProbeError: a probe that was asked for by name does not work.
        MissingDependencyError: likewise, it is not installed.
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
