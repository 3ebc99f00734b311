"""What is known of one mix, and the file of them all."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence, Tuple

from benchmarks.profiling.speed.speed_report import SpeedReport
from benchmarks.reports.cards.side_by_side import mean_w
from benchmarks.reports.document import Report
from siamtrt.documents import Format
from siamtrt.files import sha256

FORMAT = Format("a sweep", schema=1, hint="run python -m benchmarks sweep again", kind="sweep")
_DISTURBED = "other trials ran beside it"


@dataclass(frozen=True)
class Row:
    """One mix of precisions.

    Attributes:
        label: in the order target, search, xcorr.
        skipped: why it was not measured, in the words of what refused it; None where it was.
        report_sha256: of its report, which holds every sample.
        eao: expected average overlap; None where runs are too short.
        eao_interval_95: by bootstrap over the sequences; None for one sequence.
        accuracy: mean overlap after burn-in.
        failures: on all sequences.
        drift_overlap: mean overlap with the boxes of the first mix, both without resets; mean of the sequences.
        no_drift: why there is none.
        fps: tracked frames over their time; the median of the rounds where there were some.
        fps_rounds: the same in each round, in which every mix had its turn.
        update_p50_ms: median of an update; the median of the rounds too.
        mean_w: of the whole module under load.
        joules_a_frame: of the whole module.
        no_power: why there are no watts; None where there are.
        unstable: what makes its times doubtful.
        leaked: it was calibrated on sequences that it is judged on.
    """

    label: str
    skipped: Optional[str] = None
    report_sha256: Optional[str] = None
    eao: Optional[float] = None
    eao_interval_95: Optional[Tuple[float, float]] = None
    accuracy: Optional[float] = None
    failures: Optional[float] = None
    drift_overlap: Optional[float] = None
    no_drift: Optional[str] = None
    fps: Optional[float] = None
    update_p50_ms: Optional[float] = None
    mean_w: Optional[float] = None
    joules_a_frame: Optional[float] = None
    no_power: Optional[str] = None
    unstable: Tuple[str, ...] = ()
    leaked: bool = False
    fps_rounds: Tuple[float, ...] = ()

    def without_times(self) -> Row:
        """The same mix where other trials ran beside it, so that its times and watts are not its own."""
        reason = None if self.skipped else _DISTURBED
        return replace(
            self, fps=None, update_p50_ms=None, mean_w=None, joules_a_frame=None, no_power=reason, unstable=()
        )

    def timed(self, rounds: Sequence[SpeedReport]) -> Row:
        """The same mix with the times of *rounds*; without any, its own."""
        if not rounds:
            return self
        rates = tuple(report.figures.fps_pooled for report in rounds)
        updates = [report.figures.update_ms.p50 for report in rounds if report.figures.update_ms]
        doubts = dict.fromkeys(warning for report in rounds for warning in report.figures.warnings)
        return replace(
            self,
            fps=statistics.median(rates),
            fps_rounds=rates,
            update_p50_ms=statistics.median(updates) if updates else None,
            unstable=tuple(doubts),
        )

    @classmethod
    def of(cls, label: str, path: Path) -> Row:
        """The row of a mix whose report is *path*.

        Raises:
            ArtifactError: it is no report.
        """
        report = Report.load(path)
        power, update = report.speed.power, report.speed.figures.update_ms
        return cls(
            label,
            report_sha256=sha256(path),
            eao=report.measures.eao["all"],
            eao_interval_95=report.measures.eao_interval_95 if len(report.sequences) > 1 else None,
            accuracy=report.measures.accuracy,
            failures=report.measures.failures,
            fps=report.speed.figures.fps_pooled,
            update_p50_ms=update.p50 if update else None,
            mean_w=mean_w(report),
            joules_a_frame=power.joules_a_frame,
            no_power=power.reasons.get("joules_a_frame") or power.reasons.get("load"),
            unstable=report.speed.figures.warnings,
            leaked=bool(report.leaked),
        )


def front(places: Sequence[tuple[float, float]], *, least_cost: bool) -> list[tuple[float, float]]:
    """The Pareto front: what nothing else beats in both directions.

    Args:
        places: (x, y); more y is better.
        least_cost: less x is better (joules), else more (frames a second).

    Returns:
        Some of the places, from the best x to the best y.
    """
    best: list[tuple[float, float]] = []
    for x, y in sorted(set(places), key=lambda place: (place[0] if least_cost else -place[0], -place[1])):
        if not best or y > best[-1][1]:
            best.append((x, y))
    return best


def save(path: Path, rows: Sequence[Row], about: Mapping[str, Any]) -> None:
    """Write ``sweep.json``; *about* says of what the rows are."""
    FORMAT.save(path, {**about, "rows": [asdict(row) for row in rows]})
