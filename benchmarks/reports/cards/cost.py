"""What it costs: the parts of the page about time, and about power beside it."""

from __future__ import annotations

from html import escape

from benchmarks.profiling.graph_work import NOT_COUNTED, arithmetic, frame_work
from benchmarks.profiling.layers.layer_report import LayerReport
from benchmarks.profiling.layers.tables import layer_key, sums, type_key
from benchmarks.profiling.speed.figures import Distribution
from benchmarks.reports.cards.power_card import power
from benchmarks.reports.document import Report
from benchmarks.reports.drawing import page
from benchmarks.reports.drawing.axes import short
from benchmarks.reports.drawing.bars import Bar, bars
from benchmarks.reports.drawing.page import figure
from benchmarks.reports.drawing.plots import THIRD, histogram, timeline

_START_STAGES = ("target", "refit")
_SLOWEST = 15


def cost(report: Report) -> list[str]:
    """Cards: latency as a histogram and over time, stages, layers, power."""
    cards = [_histogram(report), _stages(report), _timeline(report), _percentiles(report), _work(report)]
    return [*cards, *(_layers(report.layers) if report.layers else [_no_layers(report)]), power(report)]


def _updates_ms(report: Report) -> list[float]:
    columns = [(video.samples.started, video.samples.total_ns) for video in report.speed.videos]
    return [ns / 1e6 for started, total in columns for start, ns in zip(started, total) if not start]


def _histogram(report: Report) -> str:
    update = report.speed.figures.update_ms
    if update is None:
        return page.card("Latency of an update", "<p>No update was timed.</p>")
    marks = {"p50": update.p50, "p90": update.p90, "p99": update.p99}
    return page.chart(
        "Latency of an update",
        histogram(_updates_ms(report), marks, "ms"),
        note=f"Timed: {report.speed.window}. The last bar holds all slower ones.",
    )


def _timeline(report: Report) -> str:
    values: list[float | None] = []
    names: list[str] = []
    borders: list[tuple[int, str]] = []
    for video in report.speed.videos:
        borders.append((len(values), video.name))
        values += [ns / 1e6 for ns in video.samples.total_ns]
        names += [f"{video.name}, frame {frame}" for frame in video.samples.frame]
    warnings = "; ".join(report.speed.figures.warnings)
    return page.chart(
        "Latency of each frame",
        timeline(values, borders, "ms", names=names),
        note=f"Doubtful: {warnings}" if warnings else "",
        width="wide",
    )


def _stages(report: Report) -> str:
    stages = report.speed.figures.stages_ms
    rows = [
        Bar(f"{stage} (start)" if stage in _START_STAGES else stage, (entry.p50,), f"(p99 {short(entry.p99)})")
        for stage, entry in stages.items()
    ]
    if not rows:
        return page.card("Stages", "<p>No stage was timed.</p>")
    note = (
        "A start runs crop, target and refit, an update crop, search, xcorr and decode. Rest lies between the stages."
    )
    return page.chart(
        "Stages", bars(rows, ["ms"], "median ms of a call that has the stage, and its 99th percentile"), note=note
    )


def _percentiles(report: Report) -> str:
    figures = report.speed.figures
    named = [("update", figures.update_ms), ("start", figures.start_ms), *figures.stages_ms.items()]
    rows = [_percentile_row(name, entry) for name, entry in named if entry is not None]
    heads = ["ms", "calls", "mean", "stdev", "min", "p50", "p90", "p95", "p99", "max"]
    note = f"{figures.warm_up} calls before these were warm-up; {figures.skipped} skipped frames are counted nowhere."
    return page.card("Percentiles", page.table(heads, rows), note=note, width="wide")


def _percentile_row(name: str, entry: Distribution) -> list[str]:
    values = (entry.mean, entry.stdev, entry.min, entry.p50, entry.p90, entry.p95, entry.p99, entry.max)
    return [name, f"{entry.count:,}", *(figure(value) for value in values)]


def _work(report: Report) -> str:
    heads = ["graph", "M parameters", "MMAC a run", "in each frame"]
    rows = [
        [name, _millions(work.parameters, 3), _millions(work.macs), "yes" if work.each_frame else "no"]
        for name, work in report.work.items()
    ]
    note = "" if frame_work(report.work).macs is not None else f"Dashes: {NOT_COUNTED}."
    content = page.table(heads, rows) if rows else f"<p>Not there: {NOT_COUNTED}.</p>"
    return page.card("Size and work", content, note=note if rows else "", width="wide")


def _layers(report: LayerReport) -> list[str]:
    ordered = sorted(sums(report, type_key).items(), key=lambda item: -item[1])[:_SLOWEST]
    drawing = bars(
        [Bar(f"{graph}: {kind}", (ms,)) for (graph, kind), ms in ordered],
        ["ms"],
        "ms, sum of the medians",
        width=THIRD[0],
    )
    note = (
        f"Profiled in a run of their own, medians of {report.runs}; profiling slows a run down, and the stages above "
        "were timed apart, so the sums need not agree."
    )
    computed = arithmetic(report.engines_manifest.get("settings", {}))
    note += f" {computed}." if computed else ""
    slowest = sorted(report.layers, key=lambda layer: -layer.ms_p50)[:_SLOWEST]
    rows = [
        [layer_key(layer)[1], layer.graph, layer.type, layer.precision, figure(layer.ms_p50, 4), _millions(layer.macs)]
        for layer in slowest
    ]
    table = page.table(["layer", "graph", "type", "precision", "ms", "MMAC"], rows, look="sorts dense")
    by_type = page.chart("Layers by type", drawing, note=note, width="third")
    return [by_type, page.card("Slowest layers", table, width="rest")]


def _millions(count: int | None, digits: int = 1) -> str:
    return figure(None if count is None else count / 1e6, digits)


def _no_layers(report: Report) -> str:
    return page.card(
        "Layers", f"<p>Not there: {escape(report.missing.get('layers', 'not profiled'))}.</p>", width="wide"
    )
