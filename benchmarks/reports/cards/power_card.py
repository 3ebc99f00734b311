"""What the board drew: the rails over time, and their figures; or why there are none."""

from __future__ import annotations

from html import escape
from typing import List

from benchmarks.profiling.power.report import PowerReport, PowerSamples
from benchmarks.reports.document import Report
from benchmarks.reports.drawing import page
from benchmarks.reports.drawing.page import figure
from benchmarks.reports.drawing.plots import FULL, Curve, curves


def power(report: Report) -> str:
    """The card."""
    found = report.speed.power
    if found.load is None or found.samples is None:
        reason = found.reasons.get("load", "it was not measured")
        return page.card("Power", f"<p>Not there: {escape(reason)}.</p>", width="wide")
    rails = _rails(found, found.samples)
    origin_ns = found.samples.time_ns[0]
    bands = [((start - origin_ns) / 1e9, (end - origin_ns) / 1e9) for start, end in found.windows_ns]
    drawing = curves(rails, ("s", "W"), bands=bands, size=FULL)
    return page.card("Power", drawing.markup + _table(found), note=_note(found), width="wide")


def _rails(found: PowerReport, samples: PowerSamples) -> List[Curve]:
    """A curve a rail, and their sum where it takes more than one to make up the module."""
    times_s = [(time - samples.time_ns[0]) / 1e9 for time in samples.time_ns]
    rails = [Curve(name, times_s, [mw / 1e3 for mw in column]) for name, column in samples.power_mw.items()]
    parts = [samples.power_mw[name] for name in found.total_rails or ()]
    if len(parts) > 1:
        rails.insert(0, Curve("total", times_s, [sum(at) / 1e3 for at in zip(*parts)]))
    return rails


def _table(found: PowerReport) -> str:
    rows = []
    for name, rail in (found.load or {}).items():
        idle = found.idle[name].mean_w if found.idle and name in found.idle else None
        values = (rail.mean_w, rail.p95_w, rail.peak_w, idle, rail.energy_j)
        rows.append([name, *(figure(value, 2) for value in values)])
    return page.table(["rail", "mean W", "p95 W", "peak W", "idle W", "J"], rows)


def _note(found: PowerReport) -> str:
    interval = "" if found.interval_ms is None else f" every {found.interval_ms:g} ms"
    words = [f"Read by {found.probe}{interval}; the windows whose energy is counted are shaded"]
    if found.joules_a_frame is not None:
        above = found.joules_a_frame_above_idle
        words.append(f"{found.joules_a_frame:.3f} J a frame" + ("" if above is None else f", {above:.3f} above idle"))
    if found.timed_share is not None:
        words.append(f"the tracker's calls fill {found.timed_share:.0%} of them")
    if found.gpu_max_avg_w is not None:
        words.append(f"thesis-compatible maximum of the GPU's running mean {found.gpu_max_avg_w:.1f} W")
    words += [f"no {name}: {reason}" for name, reason in found.reasons.items()]
    return "; ".join(words) + "."
