"""What is reported of the power over a measured run, and the JSON it is kept in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Optional, Tuple

from benchmarks.profiling.power.energy import PowerSummary, Window


@dataclass(frozen=True)
class PowerSamples:
    """Raw samples as columns of equal length.

    Attributes:
        time_ns: monotonic, from the same origin as the times of the frames.
        power_mw: rail by the board's own name -> milliwatts; without a total, which is no reading.
        gpu_mhz: the GPU's clock beside each sample; None where the probe does not show it.
    """

    time_ns: Tuple[int, ...]
    power_mw: Dict[str, Tuple[int, ...]]
    gpu_mhz: Tuple[Optional[int], ...]


@dataclass(frozen=True)
class PowerReport:
    """The power of a run. A figure that is not known is None, and ``reasons`` says why under its name.

    The windows leave out decoding of images, which other figures of a run leave out too: joules a frame and frames a
    second are of the same frames and nearly the same time (``timed_share``).

    Attributes:
        probe: ``ina3221``, ``tegrastats`` or ``jtop``; None where none could be read.
        interval_ms: asked of the probe.
        total_rails: the rails that make up the module's total on this board.
        note: what a reader of the figures should know of this board's sensors.
        load: rail -> mean, p95 and peak W and energy over the measured windows; ``total`` too where it is known.
        idle: the same over ``idle_window_ns``, before any work.
        joules_a_frame: energy of the total over the measured windows / frames timed in them.
        joules_a_frame_above_idle: that energy without what the idle module would have drawn.
        gpu_max_avg_w: the largest running average of the rail ``GPU`` that tegrastats printed: thesis-compatible, for
            comparison with that thesis only, since it depends on when tegrastats was started.
        windows_ns: start and end of each stretch of frames without image decoding in between.
        idle_window_ns: start and end of the idle stretch.
        timed_share: how much of the windows the tracker's calls fill, 0..1; the rest is the harness.
        left_out: samples that showed other rails than most; no figure counts them, ``samples`` has them not.
        samples: the raw samples, idle and load.
        reasons: name of a field that is None -> why; ``load`` explains all of them where nothing was read.
    """

    probe: Optional[str] = None
    interval_ms: Optional[float] = None
    total_rails: Optional[Tuple[str, ...]] = None
    note: Optional[str] = None
    load: Optional[Dict[str, PowerSummary]] = None
    idle: Optional[Dict[str, PowerSummary]] = None
    joules_a_frame: Optional[float] = None
    joules_a_frame_above_idle: Optional[float] = None
    gpu_max_avg_w: Optional[float] = None
    windows_ns: Tuple[Window, ...] = ()
    idle_window_ns: Optional[Window] = None
    timed_share: Optional[float] = None
    left_out: int = 0
    samples: Optional[PowerSamples] = None
    reasons: Dict[str, str] = field(default_factory=dict)

    @classmethod
    def absent(cls, reason: str) -> PowerReport:
        """A report that there is none."""
        return cls(reasons={"load": reason})
