"""Full reports drawn side by side."""

from __future__ import annotations

from typing import Callable, Optional

from benchmarks.reports.cards.layer_drawings import Named
from benchmarks.reports.cards.side_by_side import mean_w, update
from benchmarks.reports.document import Report
from benchmarks.reports.drawing import svg
from benchmarks.reports.drawing.bars import Bar, bars
from benchmarks.reports.drawing.plots import HALF, Curve, Point, Size, curves, points


def drawings(reports: list[Report]) -> list[Named]:
    """EAO curves, accuracy and robustness, rates, latencies, stages, and power where there is some."""
    titles = _names(reports)
    drawn = [
        ("Expected average overlap", eao_curves(reports, titles, (HALF[0], 340.0))),
        ("Accuracy and robustness", _accuracy_robustness(reports, titles)),
        *_attributes(reports, titles),
        ("Frames a second", _bars(reports, titles, _RATES, "FPS")),
        ("Latency of an update", _bars(reports, titles, _LATENCIES, "ms")),
        ("Stages", _stages(reports, titles)),
    ]
    if any(report.speed.power.load for report in reports):
        drawn.append(("Power", _bars(reports, titles, _POWER, "W, and J a frame")))
    return drawn


def _names(reports: list[Report]) -> list[str]:
    """Titles, numbered so that two of one name are told apart."""
    return [f"{number}: {report.title}" for number, report in enumerate(reports, start=1)]


def eao_curves(reports: list[Report], titles: list[str], size: Size) -> svg.Drawing:
    """Expected overlap over the length of a run; the lengths that make up the EAO are shaded."""
    series = [
        Curve(title, list(range(2, len(report.measures.curve) + 1)), report.measures.curve[1:])
        for title, report in zip(titles, reports)
    ]
    longest = max(len(report.measures.curve) for report in reports)
    band = (float(reports[0].protocol.eao_low), float(min(reports[0].protocol.eao_high, longest)))
    return curves(
        series, ("length of the run, frames", "expected overlap"), bands=[band] if band[0] < band[1] else [], size=size
    )


def _attributes(reports: list[Report], titles: list[str]) -> list[Named]:
    """The EAO of each attribute, a bar a report; nothing where no frame that counts has one."""
    known = dict.fromkeys(name for report in reports for name, eao in report.measures.eao.items() if eao is not None)
    rows = [
        Bar(name.replace("_", " "), tuple(report.measures.eao.get(name) for report in reports))
        for name in known
        if name != "all"
    ]
    return [("EAO by attribute", bars(rows, titles, "EAO over frames that carry an attribute"))] if rows else []


def _accuracy_robustness(reports: list[Report], titles: list[str]) -> svg.Drawing:
    dots = [
        Point(title.split(":")[0], report.measures.robustness, report.measures.accuracy, title)
        for title, report in zip(titles, reports)
        if report.measures.accuracy is not None
    ]
    return points(dots, ("failures in 100 frames", "accuracy, mean overlap"), size=(HALF[0], 340.0))


Take = Callable[[Report], Optional[float]]

_RATES: tuple[tuple[str, Take], ...] = (
    ("pooled", lambda report: report.speed.figures.fps_pooled),
    ("mean of videos", lambda report: report.speed.figures.fps_mean_of_videos),
)
_LATENCIES: tuple[tuple[str, Take], ...] = tuple((name, update(name)) for name in ("p50", "p90", "p99"))
_POWER: tuple[tuple[str, Take], ...] = (
    ("mean W", mean_w),
    ("J a frame", lambda report: report.speed.power.joules_a_frame),
)


def _bars(reports: list[Report], titles: list[str], figures: tuple[tuple[str, Take], ...], unit: str) -> svg.Drawing:
    rows = [Bar(name, tuple(take(report) for report in reports)) for name, take in figures]
    return bars(rows, titles, unit)


def _stages(reports: list[Report], titles: list[str]) -> svg.Drawing:
    reported = [report.speed.figures.stages_ms for report in reports]
    names = list(dict.fromkeys(name for stages in reported for name in stages))
    rows = [Bar(name, tuple(stages[name].p50 if name in stages else None for stages in reported)) for name in names]
    return bars(rows, titles, "median ms of a call that has the stage")
