"""A probe read on a thread of its own, each reading with the time it was taken at."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Type

from benchmarks.profiling.power.energy import Sample
from benchmarks.profiling.power.probe import Probe
from siamtrt import ProbeError

_LONGEST_READ_S = 5.0  # beyond the silence that any probe bears


class Sampler:
    """Reads a probe from entering to :meth:`stop`. A probe that fails ends the sampling, not the run that is measured.

    Args:
        probe: owned from now on.
    """

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._samples: list[Sample] = []
        self._error: str | None = None
        self._first, self._stopping = threading.Event(), threading.Event()
        self._stop_ns: int | None = None
        self._thread = threading.Thread(target=self._run, name="power", daemon=True)

    @property
    def name(self) -> str:
        """Name of the probe."""
        return self._probe.name

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples taken so far, in the order of time."""
        return tuple(self._samples)

    @property
    def error(self) -> str | None:
        """Why the sampling ended by itself; None where it did not."""
        return self._error

    def __enter__(self) -> Sampler:
        self._thread.start()
        self._first.wait(_LONGEST_READ_S)
        return self

    def wait(self, seconds: float) -> None:
        """Sleep, but no longer than the sampling goes on."""
        self._thread.join(seconds)

    def stop(self) -> None:
        """End after one reading later than this call, so that what happened before it is covered."""
        self._stop_ns = time.perf_counter_ns()
        self._stopping.set()
        self._thread.join(_LONGEST_READ_S)

    def __exit__(
        self, kind: Type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread.is_alive():
            self.stop()

    def _run(self) -> None:
        try:
            while self._stop_ns is None or not self._samples or self._samples[-1].time_ns <= self._stop_ns:
                reading = self._probe.read()
                self._samples.append(Sample(time.perf_counter_ns(), reading))
                self._first.set()
                self._stopping.wait(self._probe.pause_s)
        except ProbeError as error:
            self._error = error.problem
        finally:
            self._first.set()
            self._probe.close()
