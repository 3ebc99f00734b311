"""Full reports side by side: what each figure is, how it relates to the first, and what forbids the comparison."""

from __future__ import annotations

from typing import Callable, Optional, Tuple

from benchmarks.profiling.graph_work import NOT_COUNTED, arithmetic, frame_work
from benchmarks.reports.document import Report
from benchmarks.reports.drawing.page import figure

_NAME, _VALUE = 30, 12

Figure = Tuple[str, int, Callable[[Report], Optional[float]]]


def _interval(index: int) -> Callable[[Report], float | None]:
    def end(report: Report) -> float | None:
        ends = report.measures.eao_interval_95
        return ends[index] if ends is not None and len(report.sequences) > 1 else None

    return end


def update(name: str) -> Callable[[Report], float | None]:
    """Takes a figure of the distribution of updates."""
    return lambda report: getattr(report.speed.figures.update_ms, name, None)


def mean_w(report: Report) -> float | None:
    """Mean power of the whole module under load."""
    load = report.speed.power.load
    return load["total"].mean_w if load and "total" in load else None


FIGURES: tuple[Figure, ...] = (
    ("EAO", 3, lambda report: report.measures.eao["all"]),
    ("EAO, 95 % interval, low", 3, _interval(0)),
    ("EAO, 95 % interval, high", 3, _interval(1)),
    ("accuracy", 3, lambda report: report.measures.accuracy),
    ("failures", 0, lambda report: report.measures.failures),
    ("failures in 100 frames", 3, lambda report: report.measures.robustness),
    ("FPS, pooled", 1, lambda report: report.speed.figures.fps_pooled),
    ("FPS, mean of the videos", 1, lambda report: report.speed.figures.fps_mean_of_videos),
    ("update ms, p50", 3, update("p50")),
    ("update ms, p90", 3, update("p90")),
    ("update ms, p99", 3, update("p99")),
    ("start ms, p50", 3, lambda report: getattr(report.speed.figures.start_ms, "p50", None)),
    ("power W, mean", 2, mean_w),
    ("J a frame", 3, lambda report: report.speed.power.joules_a_frame),
    ("GPU W as the thesis takes it", 2, lambda report: report.speed.power.gpu_max_avg_w),
    ("J a frame as the thesis does", 3, lambda report: _thesis_joules(report)),
    ("M parameters, of a frame", 3, lambda report: _millions(frame_work(report.work).parameters)),
    ("MMAC, of a frame", 1, lambda report: _millions(frame_work(report.work).macs)),
)


def _thesis_joules(report: Report) -> float | None:
    """Its watts over its frames a second; the energy of the module is another figure."""
    watts, rate = report.speed.power.gpu_max_avg_w, report.speed.figures.fps_mean_of_videos
    return watts / rate if watts is not None and rate else None


def _attributes(reports: list[Report]) -> list[Figure]:
    """The EAO of each attribute that one of *reports* has."""
    names = dict.fromkeys(name for report in reports for name, eao in report.measures.eao.items() if eao is not None)
    return [(f"EAO, {name.replace('_', ' ')}", 3, _eao_of(name)) for name in names if name != "all"]


def _eao_of(name: str) -> Callable[[Report], Optional[float]]:
    return lambda report: report.measures.eao.get(name)


def _millions(count: int | None) -> float | None:
    return None if count is None else count / 1e6


def _of_graphs(reports: list[Report]) -> list[Figure]:
    """The work of each graph that one of *reports* has."""
    figures: list[Figure] = []
    for name in dict.fromkeys(name for report in reports for name in report.work):
        figures.append((f"{name}: M parameters", 3, _work(name, "parameters")))
        figures.append((f"{name}: MMAC", 1, _work(name, "macs")))
    return figures


def _work(graph: str, part: str) -> Callable[[Report], Optional[float]]:
    return lambda report: _millions(getattr(report.work.get(graph), part, None))


def rows(reports: list[Report]) -> list[list[str]]:
    """A row a figure: its name, each report's value, and each but the first over the first."""
    lines = []
    for name, digits, take in (*FIGURES, *_attributes(reports), *_of_graphs(reports)):
        values = [take(report) for report in reports]
        over = [value / values[0] if value is not None and values[0] else None for value in values[1:]]
        lines.append([name, *(figure(value, digits) for value in values), *(figure(ratio, 2) for ratio in over)])
    return lines


def heads(reports: list[Report]) -> list[str]:
    """Heads of the columns of :func:`rows`."""
    numbers = range(1, len(reports) + 1)
    return ["", *(str(number) for number in numbers), *(f"{number}/1" for number in numbers[1:])]


def doubts(reports: list[Report]) -> list[str]:
    """Why figures of these reports may not be comparable, a sentence each."""
    first = reports[0]
    sentences = []
    for number, report in enumerate(reports[1:], start=2):
        if _truths(report) != _truths(first):
            sentences.append(f"{number} was run on other sequences than 1: neither tracking nor speed can be compared")
        if report.protocol != first.protocol:
            sentences.append(f"{number} was run under {report.protocol.name}, 1 under {first.protocol.name}")
        if _machine(report) != _machine(first):
            sentences.append(f"{number} was measured on another machine or power mode than 1")
    for number, report in enumerate(reports, start=1):
        if report.leaked:
            sentences.append(f"{number} is judged on sequences that calibrated its engines: {', '.join(report.leaked)}")
    return [*sentences, *_of_several(reports)]


def _of_several(reports: list[Report]) -> list[str]:
    """What holds for several reports at once, their numbers first."""
    numbers_of: dict[str, list[str]] = {}
    for number, report in enumerate(reports, start=1):
        reason = report.speed.power.reasons.get("load")
        if report.speed.power.load is None and reason:
            numbers_of.setdefault(f"no power, {reason}", []).append(str(number))
        if report.speed.figures.warnings:
            numbers_of.setdefault("times to doubt, for the reasons in the report", []).append(str(number))
        computed = arithmetic((report.speed.engines_manifest or {}).get("settings", {}))
        if computed:
            numbers_of.setdefault(computed, []).append(str(number))
        if frame_work(report.work).macs is None:
            numbers_of.setdefault(NOT_COUNTED, []).append(str(number))
    return [f"{', '.join(numbers)}: {doubt}" for doubt, numbers in numbers_of.items()]


def table(reports: list[Report]) -> str:
    """The rows as lines for the terminal, with the doubts below."""
    titles = [f"{number}: {report.title}" for number, report in enumerate(reports, start=1)]
    lines = [
        f"{row[0]:{_NAME}}" + "".join(f"{cell:>{_VALUE}}" for cell in row[1:])
        for row in [heads(reports), *rows(reports)]
    ]
    return "\n".join([*titles, *lines, *doubts(reports)])


def _truths(report: Report) -> list[tuple[str, str]]:
    return sorted((name, run.truth_sha256) for name, run in report.sequences.items())


def _machine(report: Report) -> tuple[object, ...]:
    return tuple(report.environment.get(name) for name in ("board", "cpu", "cpu_online", "power_mode"))
