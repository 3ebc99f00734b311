"""The page of one report: the tiles at its top, and its parts in the order of the questions they answer."""

from __future__ import annotations

from html import escape
from typing import Sequence

from benchmarks.profiling.speed.table import setting_of
from benchmarks.reports.cards.cost import cost
from benchmarks.reports.cards.provenance import provenance
from benchmarks.reports.cards.quality import quality
from benchmarks.reports.document import Report
from benchmarks.reports.drawing import page
from benchmarks.reports.drawing.page import figure

_MOST_NAMES = 6


def report_page(report: Report, beside: Sequence[str] = ()) -> str:
    """The whole page, as HTML that needs nothing else; files that lie *beside* it are linked."""
    cards = [*quality(report), *cost(report), *provenance(report)]
    return page.page(report.title, f'{_head(report, beside)}{_tiles(report)}<div class="cards">{"".join(cards)}</div>')


def headline(report: Report) -> list[tuple[str, str, str]]:
    """Name, figure and note of each tile at the top."""
    measures, figures, power = report.measures, report.speed.figures, report.speed.power
    interval = measures.eao_interval_95
    spread = "no interval: one sequence is long enough"
    if interval is not None and len(report.sequences) > 1 and interval[0] < interval[1]:
        spread = f"95 % interval {interval[0]:.3f} to {interval[1]:.3f}"
    update = figures.update_ms
    drawn = None if power.load is None or "total" not in power.load else power.load["total"].mean_w
    tiles = [
        ("EAO", figure(measures.eao["all"]), spread if measures.eao["all"] is not None else "runs are too short"),
        ("Accuracy", figure(measures.accuracy), "mean overlap after burn-in"),
        ("Failures", figure(measures.failures, 0), f"{measures.robustness:.2f} in 100 frames"),
        ("FPS", figure(figures.fps_pooled, 1), _rates(report)),
        (
            "Update, median",
            "-" if update is None else f"{update.p50:.2f} ms",
            "" if update is None else f"p99 {update.p99:.2f} ms, max {update.max:.2f} ms",
        ),
    ]
    if power.load is not None:
        tiles.append(("Power, mean", "-" if drawn is None else f"{drawn:.2f} W", _joules(report)))
    return tiles


def _rates(report: Report) -> str:
    figures = report.speed.figures
    pooled, mean = f"{figures.fps_pooled:.1f}", f"{figures.fps_mean_of_videos:.1f}"
    rate = "pooled over all frames" if mean == pooled else f"mean of the videos {mean}"
    return f"{rate}; doubtful, see below" if figures.warnings else rate


def _joules(report: Report) -> str:
    power = report.speed.power
    return "no joules, see Power below" if power.joules_a_frame is None else f"{power.joules_a_frame:.3f} J a frame"


def _head(report: Report, beside: Sequence[str]) -> str:
    count = len(report.sequences)
    frames = sum(run.frames for run in report.sequences.values())
    machine = report.environment.get("board") or report.environment.get("cpu") or "unknown machine"
    lines = [
        f"<h1>{escape(report.title)}</h1>",
        f'<p class="quiet">{_kind(report)}{count} sequence{"s" if count > 1 else ""} ({escape(_names(report))}), '
        f"{frames:,} frames, rules of {escape(report.protocol.name)}, on {escape(machine)}{escape(_setting(report))}, "
        f"finished {escape(report.finished_utc)} UTC</p>",
    ]
    if beside:
        lines.append(f'<p class="quiet screen">Every sample: {", ".join(page.link(name, name) for name in beside)}</p>')
    if report.leaked:
        words = (
            f"These engines were calibrated on {len(report.leaked)} of the {count} sequences they are judged on here "
            f"({', '.join(report.leaked)}), allowed on request. The tracking figures flatter them."
        )
        lines.append(f'<p class="warning"><strong>Leaked.</strong> {escape(words)}</p>')
    return "".join(lines)


def _kind(report: Report) -> str:
    """What the sequences are, where they are no films."""
    rendered = [run.rendered for run in report.sequences.values()]
    return "rendered clips, no films: " if all(rendered) else "some rendered: " if any(rendered) else ""


def _names(report: Report) -> str:
    names = list(report.sequences)
    return ", ".join(names if len(names) <= _MOST_NAMES else [*names[:_MOST_NAMES], "..."])


def _setting(report: Report) -> str:
    """What the engines compute in and on how many threads, as what follows the machine."""
    setting = setting_of(report.speed)
    return f", {setting}" if setting else ""


def _tiles(report: Report) -> str:
    return f'<div class="tiles">{"".join(page.tile(*entry) for entry in headline(report))}</div>'
