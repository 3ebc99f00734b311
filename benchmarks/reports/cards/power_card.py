"""What the board drew: the rails over time, and their figures; or why there are none."""

from __future__ import annotations

from html import escape

from benchmarks.profiling.power.power_report import PowerReport, PowerSamples
from benchmarks.reports.document import Report
from benchmarks.reports.drawing import page
from benchmarks.reports.drawing.page import figure
from benchmarks.reports.drawing.plots import FULL, Curve, curves


def power(report: Report) -> str:
    """The card of power."""
    seen = report.speed.power
    if seen.load is None or seen.samples is None:
        reason = seen.reasons.get("load", "it was not measured")
        return page.card("Power", f"<p>Not there: {escape(reason)}.</p>", width="wide")
    rails = _rails(seen, seen.samples)
    origin_ns = seen.samples.time_ns[0]
    bands = [((start - origin_ns) / 1e9, (end - origin_ns) / 1e9) for start, end in seen.windows_ns]
    drawing = curves(rails, ("s", "W"), bands=bands, size=FULL)
    return page.card("Power", page.scrolled(drawing.markup, far=True) + _table(seen), note=_note(seen), width="wide")


def _rails(seen: PowerReport, samples: PowerSamples) -> list[Curve]:
    """A curve a rail, and their sum where it takes more than one to make up the module."""
    times_s = [(time - samples.time_ns[0]) / 1e9 for time in samples.time_ns]
    rails = [Curve(name, times_s, [mw / 1e3 for mw in column]) for name, column in samples.power_mw.items()]
    parts = [samples.power_mw[name] for name in seen.total_rails or ()]
    if len(parts) > 1:
        rails.insert(0, Curve("total", times_s, [sum(at) / 1e3 for at in zip(*parts)]))
    return rails


def _table(seen: PowerReport) -> str:
    rows = []
    for name, rail in (seen.load or {}).items():
        idle = seen.idle[name].mean_w if seen.idle and name in seen.idle else None
        values = (rail.mean_w, rail.p95_w, rail.peak_w, idle, rail.energy_j)
        rows.append([name, *(figure(value, 2) for value in values)])
    return page.table(["rail", "mean W", "p95 W", "peak W", "idle W", "J"], rows)


def _note(seen: PowerReport) -> str:
    interval = "" if seen.interval_ms is None else f" every {seen.interval_ms:g} ms"
    parts = [f"Read by {seen.probe}{interval}; the windows whose energy is counted are shaded"]
    if seen.joules_a_frame is not None:
        above = seen.joules_a_frame_above_idle
        parts.append(f"{seen.joules_a_frame:.3f} J a frame" + ("" if above is None else f", {above:.3f} above idle"))
    if seen.timed_share is not None:
        parts.append(f"the tracker's calls fill {seen.timed_share:.0%} of them")
    if seen.gpu_max_avg_w is not None:
        parts.append(f"thesis-compatible maximum of the GPU's running mean {seen.gpu_max_avg_w:.1f} W")
    parts += [f"no {name}: {reason}" for name, reason in seen.reasons.items()]
    return "; ".join(parts) + "."
