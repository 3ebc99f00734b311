"""Full reports drawn side by side."""

from __future__ import annotations

from typing import Callable, List, Optional, Tuple

from benchmarks.reports.cards.layer_drawings import Named
from benchmarks.reports.cards.side_by_side import mean_w
from benchmarks.reports.document import Report
from benchmarks.reports.drawing import svg
from benchmarks.reports.drawing.bars import Bar, bars
from benchmarks.reports.drawing.plots import HALF, Curve, Point, curves, points


def drawings(reports: List[Report]) -> List[Named]:
    """EAO curves, accuracy and robustness, rates, latencies, stages, and power where there is some."""
    titles = _names(reports)
    drawn = [
        ("Expected average overlap", _curves(reports, titles)),
        ("Accuracy and robustness", _accuracy_robustness(reports, titles)),
        ("Frames a second", _bars(reports, titles, _RATES, "FPS")),
        ("Latency of an update", _bars(reports, titles, _LATENCIES, "ms")),
        ("Stages", _stages(reports, titles)),
    ]
    if any(report.speed.power.load for report in reports):
        drawn.append(("Power", _bars(reports, titles, _POWER, "W, and J a frame")))
    return drawn


def _names(reports: List[Report]) -> List[str]:
    """Titles, numbered so that two of one name are told apart."""
    return [f"{number}: {report.title}" for number, report in enumerate(reports, start=1)]


def _curves(reports: List[Report], titles: List[str]) -> svg.Drawing:
    series = [
        Curve(title, list(range(2, len(report.measures.curve) + 1)), report.measures.curve[1:])
        for title, report in zip(titles, reports)
    ]
    band = (float(reports[0].protocol.eao_low), float(reports[0].protocol.eao_high))
    return curves(series, ("length of the run, frames", "expected overlap"), bands=[band], size=(HALF[0], 340.0))


def _accuracy_robustness(reports: List[Report], titles: List[str]) -> svg.Drawing:
    dots = [
        Point(title.split(":")[0], report.measures.robustness, report.measures.accuracy, title)
        for title, report in zip(titles, reports)
        if report.measures.accuracy is not None
    ]
    return points(dots, ("failures in 100 frames", "accuracy, mean overlap"), size=(HALF[0], 340.0))


Take = Callable[[Report], Optional[float]]

_RATES: Tuple[Tuple[str, Take], ...] = (
    ("pooled", lambda report: report.speed.figures.fps_pooled),
    ("mean of videos", lambda report: report.speed.figures.fps_mean_of_videos),
)
_LATENCIES: Tuple[Tuple[str, Take], ...] = (
    ("p50", lambda report: getattr(report.speed.figures.update_ms, "p50", None)),
    ("p90", lambda report: getattr(report.speed.figures.update_ms, "p90", None)),
    ("p99", lambda report: getattr(report.speed.figures.update_ms, "p99", None)),
)
_POWER: Tuple[Tuple[str, Take], ...] = (
    ("mean W", mean_w),
    ("J a frame", lambda report: report.speed.power.joules_a_frame),
)


def _bars(reports: List[Report], titles: List[str], figures: Tuple[Tuple[str, Take], ...], unit: str) -> svg.Drawing:
    rows = [Bar(name, tuple(take(report) for report in reports)) for name, take in figures]
    return bars(rows, titles, unit)


def _stages(reports: List[Report], titles: List[str]) -> svg.Drawing:
    found = [report.speed.figures.stages_ms for report in reports]
    names = list(dict.fromkeys(name for stages in found for name in stages))
    rows = [Bar(name, tuple(stages[name].p50 if name in stages else None for stages in found)) for name in names]
    return bars(rows, titles, "median ms of a call that has the stage")
