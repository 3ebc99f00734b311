"""The report of a speed run: what is in it, and its file.

One JSON object: ``schema``, ``kind`` (``"speed"``) and the fields of :class:`SpeedReport`, nested as the classes here.
Every class says its units; every figure follows from the raw samples beside it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from benchmarks.profiling.power.power_report import PowerReport
from benchmarks.profiling.speed.call_times import Samples
from benchmarks.profiling.speed.conditions import Conditions
from benchmarks.profiling.speed.figures import Figures
from siamtrt.documents import Format

FORMAT = Format("a speed report", schema=1, hint="write it anew with python -m benchmarks speed", kind="speed")
WINDOW = (
    "the tracker's call alone: crop, target or search, refit, xcorr, decoding of the response; "
    "images are read and decoded outside"
)


@dataclass(frozen=True)
class Video:
    """One sequence.

    Attributes:
        name: of the sequence.
        fps: timed calls / their time, starts included, warm-up and skipped frames not.
        failures: how often the target was lost and the tracker started again.
        skipped: frames between a failure and the next start; no call was made, and they are counted nowhere.
        warm_up: calls before the timed ones, kept apart; no figure counts them.
        samples: the timed calls.
    """

    name: str
    fps: float
    failures: int
    skipped: int
    warm_up: Samples
    samples: Samples


@dataclass(frozen=True)
class SpeedReport:
    """The speed of one tracker over some sequences.

    Attributes:
        title: model, backend, precision and work, or the name of a VOT run's tracker.
        command: that made the report.
        window: what the times span.
        figures: made from the samples of all videos.
        videos: raw samples of each.
        power: over the same frames.
        conditions: clocks and temperatures while it ran; None where the times are of an earlier run.
        environment: of the machine, see :func:`siamtrt.environment.describe`; None as for the conditions.
        engines_manifest: of the engines that ran; None as for the conditions.
        threads: of the CPU backend, for one operator; None where something else computes, or it was not kept.
        wait: how the process waited for the GPU, ``spin`` or ``block``; None where there was none, or it was not kept.
    """

    title: str
    command: str
    window: str
    figures: Figures
    videos: Tuple[Video, ...]
    power: PowerReport
    conditions: Optional[Conditions]
    environment: Optional[Dict[str, Any]]
    engines_manifest: Optional[Dict[str, Any]]
    threads: Optional[int] = None
    wait: Optional[str] = None

    def save(self, path: Path) -> None:
        """Write the report as JSON, whole or not at all."""
        FORMAT.save(path, asdict(self), indent=None)

    @classmethod
    def load(cls, path: Path) -> SpeedReport:
        """Read a report; ArtifactError where it is absent, of another schema, or something else."""
        return FORMAT.read(path, cls)
