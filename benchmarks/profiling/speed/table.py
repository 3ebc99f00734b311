"""The figures of a speed report as lines for the terminal."""

from __future__ import annotations

from benchmarks.profiling.graph_work import arithmetic
from benchmarks.profiling.power.power_report import PowerReport
from benchmarks.profiling.speed.figures import Distribution
from benchmarks.profiling.speed.speed_report import SpeedReport


def table(report: SpeedReport) -> str:
    """The figures as lines for the terminal."""
    figures = report.figures
    lines = [
        f"{report.title}: {figures.frames} frames, {figures.starts} starts, {figures.skipped} skipped",
        *filter(None, [setting_of(report)]),
        f"{'FPS, pooled':26} {figures.fps_pooled:9.1f}",
        f"{'FPS, mean of the videos':26} {figures.fps_mean_of_videos:9.1f}   (as the thesis computes it)",
        f"{'ms':26} {'p50':>9} {'p90':>9} {'p95':>9} {'p99':>9} {'max':>9}",
        _line("update", figures.update_ms),
        _line("start", figures.start_ms),
        *(_line(f"  {stage}", times) for stage, times in figures.stages_ms.items()),
        *_power_lines(report.power),
        *(f"warning: {warning}" for warning in figures.warnings),
    ]
    return "\n".join(line for line in lines if line)


def setting_of(report: SpeedReport) -> str:
    """What the engines compute in, on how many threads, and how the GPU is waited for, as far as that is known."""
    settings = (report.engines_manifest or {}).get("settings", {})
    threads = "" if report.threads is None else f"{report.threads} thread{'s' if report.threads > 1 else ''}"
    wait = "" if report.wait is None else f"waits by {report.wait}"
    return ", ".join(filter(None, [threads, arithmetic(settings), wait]))


def _line(name: str, times: Distribution | None) -> str:
    if times is None:
        return ""
    return f"{name:26} {times.p50:9.3f} {times.p90:9.3f} {times.p95:9.3f} {times.p99:9.3f} {times.max:9.3f}"


def _power_lines(power: PowerReport) -> list[str]:
    if power.load is None:
        return [f"power: not measured: {power.reasons['load']}"]
    lines = [f"{'W':26} {'mean':>9} {'p95':>9} {'peak':>9} {'idle':>9}"]
    for rail, summary in power.load.items():
        idle = f"{power.idle[rail].mean_w:9.3f}" if power.idle else f"{'-':>9}"
        lines.append(f"{'  ' + rail:26} {summary.mean_w:9.3f} {summary.p95_w:9.3f} {summary.peak_w:9.3f} {idle}")
    if power.joules_a_frame is not None:
        lines.append(f"{'J a frame':26} {power.joules_a_frame:9.4f}")
    return lines
