"""The page of one report: the tiles at its top, and its parts in the order of the questions they answer."""

from __future__ import annotations

from html import escape

from benchmarks.reports.cards.cost import cost
from benchmarks.reports.cards.provenance import provenance
from benchmarks.reports.cards.quality import quality
from benchmarks.reports.document import Report
from benchmarks.reports.drawing import page
from benchmarks.reports.drawing.page import figure


def report_page(report: Report) -> str:
    """The whole page, as HTML that needs nothing else."""
    cards = [*quality(report), *cost(report), *provenance(report)]
    return page.page(report.title, f'{_head(report)}{_tiles(report)}<div class="cards">{"".join(cards)}</div>')


def headline(report: Report) -> list[tuple[str, str, str]]:
    """Name, figure and note of each tile at the top."""
    measures, figures, power = report.measures, report.speed.figures, report.speed.power
    interval = measures.eao_interval_95
    spread = "too few sequences for an interval"
    if interval is not None and len(report.sequences) > 1:
        spread = f"95 % interval {interval[0]:.3f} to {interval[1]:.3f}"
    update = figures.update_ms
    drawn = None if power.load is None or "total" not in power.load else power.load["total"].mean_w
    return [
        ("EAO", figure(measures.eao["all"]), spread if measures.eao["all"] is not None else "runs are too short"),
        ("Accuracy", figure(measures.accuracy), "mean overlap after burn-in"),
        ("Failures", figure(measures.failures, 0), f"{measures.robustness:.2f} in 100 frames"),
        ("FPS", figure(figures.fps_pooled, 1), _rates(report)),
        (
            "Update, median",
            "-" if update is None else f"{update.p50:.2f} ms",
            "" if update is None else f"p99 {update.p99:.2f} ms, max {update.max:.2f} ms",
        ),
        ("Power, mean", "-" if drawn is None else f"{drawn:.2f} W", _joules(report)),
    ]


def _rates(report: Report) -> str:
    figures = report.speed.figures
    doubt = "; doubtful, see below" if figures.warnings else ""
    return f"mean of the videos {figures.fps_mean_of_videos:.1f}{doubt}"


def _joules(report: Report) -> str:
    power = report.speed.power
    if power.load is None:
        return "not measured, see Power below"
    return "no joules, see Power below" if power.joules_a_frame is None else f"{power.joules_a_frame:.3f} J a frame"


def _head(report: Report) -> str:
    count = len(report.sequences)
    frames = sum(run.frames for run in report.sequences.values())
    machine = report.environment.get("board") or report.environment.get("cpu") or "unknown machine"
    lines = [
        f"<h1>{escape(report.title)}</h1>",
        f'<p class="quiet">{count} sequence{"s" if count > 1 else ""}, {frames:,} frames, protocol '
        f"{escape(report.protocol.name)}, on {escape(machine)}, finished {escape(report.finished_utc)} UTC</p>",
    ]
    if report.leaked:
        words = (
            f"These engines were calibrated on {len(report.leaked)} of the {count} sequences they are judged on here "
            f"({', '.join(report.leaked)}), allowed on request. The tracking figures flatter them."
        )
        lines.append(f'<p class="warning"><strong>Leaked.</strong> {escape(words)}</p>')
    return "".join(lines)


def _tiles(report: Report) -> str:
    return f'<div class="tiles">{"".join(page.tile(*entry) for entry in headline(report))}</div>'
