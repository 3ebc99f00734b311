"""Layer reports drawn side by side, and against the roof of a device."""

from __future__ import annotations

from typing import Tuple

from benchmarks.profiling.layers.device import Device, precision_of
from benchmarks.profiling.layers.layer_report import Layer, LayerReport
from benchmarks.profiling.layers.tables import BY, ordered, sums
from benchmarks.reports.drawing import svg
from benchmarks.reports.drawing.axes import Axis, decades, grid
from benchmarks.reports.drawing.bars import Bar, bars
from benchmarks.reports.drawing.plots import color, legend, spans

_WIDE = 1060.0
_ROOFLINE = (1060.0, 420.0)
_MOST_ROWS = 24

Named = Tuple[str, svg.Drawing]


_HEADINGS = {
    "graph": "By graph",
    "role": "By role of layer",
    "type": "By type of layer",
    "layer": "By layer, the slowest",
}


def drawings(reports: list[LayerReport], device: Device | None, by: str = "role") -> list[Named]:
    """The graphs as wholes, what was asked for *by*, the layers, and the roofline where there is a device."""
    drawn = [(_HEADINGS[group], grouped(reports, group)) for group in dict.fromkeys(("graph", by, "layer"))]
    if device is not None:
        drawn.append((f"Roofline of {device.name}", roofline(reports, device)))
    return drawn


def grouped(reports: list[LayerReport], by: str) -> svg.Drawing:
    """Milliseconds of each group, a bar a report, and the ratio of the last report to the first.

    Args:
        reports: side by side.
        by: ``role``, ``type``, ``layer`` or ``graph``.
    """
    groups = [sums(report, BY[by]) for report in reports]
    keys = sorted(ordered(groups), key=lambda key: -max(totals.get(key, 0.0) for totals in groups))[:_MOST_ROWS]
    rows = []
    for key in keys:
        values = tuple(totals.get(key) for totals in groups)
        first, last = values[0], values[-1]
        note = f"(x {last / first:.2f})" if len(values) > 1 and first and last is not None else ""
        rows.append(Bar(": ".join(filter(None, key)), values, note))
    title = "ms, sum of the medians" + ("; in brackets the last over the first" if len(reports) > 1 else "")
    return bars(rows, [report.title for report in reports], title, width=_WIDE)


def roofline(reports: list[LayerReport], device: Device) -> svg.Drawing:
    """What each layer reaches, over how much it computes with each byte, below what the device could do.

    A layer of a report that was measured elsewhere, or in another power mode, has no dot: only its place along the axis
    is marked.
    """
    shown = [(index, layer) for index, report in enumerate(reports) for layer in report.layers if layer.macs]
    names = [report.title for report in reports]
    x_span, y_span = spans(_ROOFLINE, names)
    foreign = [device.foreign(report.environment) for report in reports]
    reached = [_gmacs(layer) for index, layer in shown if foreign[index] is None and layer.ms_p50]
    peaks = list(device.peak_gmacs.values())
    knees = [peak / device.memory_gb_s for peak in peaks]
    x = decades([*(_intensity(layer) for _, layer in shown), *knees], x_span, "multiply-accumulates a byte")
    y = decades([*reached, *peaks], y_span, "1e9 multiply-accumulates a second")
    parts = [grid(x, y), *_roofs(device, x, y), legend(names, _ROOFLINE[0])]
    for index, layer in shown:
        parts.append(_layer(layer, color(index), x, y, measured=foreign[index] is None))
    reasons = list(dict.fromkeys(filter(None, foreign)))
    if reasons:
        words = f"ticks: layers {', or '.join(reasons)}; only their place along the axis is known, from the graph"
        parts.append(svg.text(x.end_px - 4, y.start_px - 14, words, anchor="end", fill=svg.MUTED))
    return svg.Drawing(*_ROOFLINE, "".join(parts), f"roofline of {device.name}")


def _roofs(device: Device, x: Axis, y: Axis) -> list[str]:
    parts = []
    for precision, peak in device.peak_gmacs.items():
        knee = min(max(peak / device.memory_gb_s, x.low), x.high)
        start = max(x.low, y.low / device.memory_gb_s)
        corners = [(start, start * device.memory_gb_s), (knee, knee * device.memory_gb_s), (x.high, peak)]
        parts.append(svg.polyline([(x.at(a), y.at(b)) for a, b in corners], svg.INK, stroke_width=1.2))
        parts.append(svg.text(x.end_px - 4, y.at(peak) + 13, f"{precision}: {peak:,.0f}", anchor="end"))
    start = max(x.low, y.low / device.memory_gb_s)
    beside = (x.at(start) + 8, y.at(start * device.memory_gb_s) - 30)
    parts.append(svg.text(*beside, f"memory: {device.memory_gb_s:g} GB/s"))
    return parts


def _layer(layer: Layer, tone: str, x: Axis, y: Axis, *, measured: bool) -> str:
    place = x.at(_intensity(layer))
    if not measured or not layer.ms_p50:
        return svg.titled(svg.line((place, y.start_px), (place, y.start_px - 9), tone), layer.name)
    words = f"{layer.graph}: {layer.name}, {precision_of(layer, layer.precision)}, {layer.ms_p50:.4f} ms"
    shape = svg.element("circle", cx=place, cy=y.at(_gmacs(layer)), r=4, fill=tone, fill_opacity=0.75)
    return svg.titled(shape, words)


def _intensity(layer: Layer) -> float:
    return layer.macs / max(layer.bytes, 1)


def _gmacs(layer: Layer) -> float:
    return layer.macs / layer.ms_p50 / 1e6
