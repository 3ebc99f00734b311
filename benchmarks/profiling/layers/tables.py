"""Tables of layer reports side by side, and against the bound of a device."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Callable, Sequence, Tuple

from benchmarks.profiling.graph_work import arithmetic
from benchmarks.profiling.layers.device import Device, precision_of
from benchmarks.profiling.layers.layer_report import Layer, LayerReport, original_name
from siamtrt.libraries.inspector import fused_names

_SHOWN_LAYERS = 20
_COLUMN = 28

# What ONNX Runtime and the conversion to float16 append to the name of a convolution.
_FUSED = re.compile(r"(/(Clip|Relu|LeakyRelu|Sigmoid))?(_cast_to_fp16)?$")

# What a layer is for, by what its type is called in ONNX Runtime or TensorRT, in either precision; the first that fits.
_ROLES = (
    ("convolution", re.compile("conv", re.IGNORECASE)),
    ("product", re.compile("gemm|matmul|matrix|fullyconnected", re.IGNORECASE)),
    ("pooling", re.compile("pool|reduce", re.IGNORECASE)),
    (
        "layout",
        re.compile(
            "transpose|reshape|concat|slice|gather|squeeze|reorder|cast|quantize|reformat|noop|shuffle|copy|pad|identity",
            re.IGNORECASE,
        ),
    ),
    (
        "elementwise",
        re.compile(
            "add|mul|sub|div|relu|clip|sigmoid|swish|softmax|exp|pow|sqrt|min|max|round|wise|activation|scale",
            re.IGNORECASE,
        ),
    ),
)

Key = Tuple[str, str]


def role_key(layer: Layer) -> Key:
    """Layers for one purpose in one graph go together: an integer convolution meets the one in floating point."""
    return layer.graph, next((role for role, types in _ROLES if types.search(layer.type)), layer.type)


def type_key(layer: Layer) -> Key:
    """Layers of one type in one graph go together."""
    return layer.graph, layer.type


def layer_key(layer: Layer) -> Key:
    """Each layer for itself, by the name of the operation that it starts with, whatever was fused behind or around it.

    So the same layer meets itself in another precision or on another backend, as far as that keeps names.
    """
    return layer.graph, _FUSED.sub("", original_name(next(iter(fused_names(layer.name)), layer.name)))


def graph_key(layer: Layer) -> Key:
    """Layers of one graph go together."""
    return layer.graph, ""


BY: dict[str, Callable[[Layer], Key]] = {"role": role_key, "type": type_key, "layer": layer_key, "graph": graph_key}


def table(reports: list[LayerReport], by: str) -> str:
    """Milliseconds of each graph, then of each group of its layers, the slowest of the first report first.

    Args:
        reports: side by side, with ratios to the first.
        by: ``role``, ``type``, ``layer`` or ``graph``.
    """
    groups, totals = ([sums(report, BY[key]) for report in reports] for key in (by, "graph"))
    alone = len(reports) == 1
    lines = [titled(report) if alone else f"{number}: {titled(report)}" for number, report in enumerate(reports, 1)]
    heads = " ".join(f"{'ms' if alone else f'ms {number + 1}':>9}" for number in range(len(reports)))
    ratios = " ".join(f"{f'{number + 1}/1':>7}" for number in range(1, len(reports)))
    title = "" if by == "graph" else by
    lines.append(f"{'graph':8} {title:{_COLUMN}} {heads} {ratios}".rstrip())
    names = _types(reports) if by == "role" else {}
    if by != "graph":
        lines += [
            _row((graph, "all layers"), [total.get((graph, "")) for total in totals]) for graph, _ in ordered(totals)
        ]
    lines += [_row(key, [group.get(key) for group in groups], names.get(key, "")) for key in ordered(groups)]
    return "\n".join(lines)


def titled(report: LayerReport) -> str:
    """The title of a report, and what its engines compute in where their precision would mislead."""
    note = arithmetic(report.engines_manifest.get("settings", {}))
    return f"{report.title} ({note})" if note else report.title


def _row(key: Key, values: Sequence[float | None], note: str = "") -> str:
    """Milliseconds of a group in each report, each but the first over the first, and a note."""
    figures = " ".join(_figure(value, 9, 4) for value in values)
    shares = " ".join(_figure(ratio(value, values[0]), 7, 2) for value in values[1:])
    return f"{key[0]:8} {key[1][:_COLUMN]:{_COLUMN}} {figures} {shares}  {note}".rstrip()


def _types(reports: list[LayerReport]) -> dict[Key, str]:
    """What the layers of each role are called, in any of the reports."""
    names: dict[Key, dict[str, None]] = defaultdict(dict)
    for layer in (layer for report in reports for layer in report.layers):
        names[role_key(layer)][layer.type] = None
    return {key: ", ".join(types) for key, types in names.items()}


def summary(report: LayerReport) -> str:
    """One report by layer type, and how much of it is in integers."""
    share = report.integer_share
    line = f"\n{100 * share:.1f} % of a frame's multiply-accumulates are in 8-bit integers" if share else ""
    return table([report], "type") + line


def bounds(report: LayerReport, device: Device, precision: str) -> str:
    """The layers of a report against what *device* can do at best.

    Where the report was measured on that device, in its power mode, each layer stands against the bound of its own
    precision, the one that loses most time first. Where it was not, or its mode is not known, only the bounds are
    given: they are computed, not measured.
    """
    foreign = device.foreign(report.environment)
    if foreign is None:
        return _against(report, device, precision)
    ranked = sorted(report.layers, key=lambda layer: -device.bound_ms(layer, precision))[:_SHOWN_LAYERS]
    total = sum(device.bound_ms(layer, precision) for layer in report.layers if layer.graph in ("search", "xcorr"))
    lines = [
        f"\nlower bound on {device.name} in {precision}, computed, not measured: "
        f"{total:.3f} ms a frame for search and xcorr",
        f"no time stands against it: {foreign}",
        f"{'graph':8} {'layer':{2 * _COLUMN}} {'MMAC':>9} {'kB':>9} {'bound ms':>9}",
    ]
    return "\n".join([*lines, *(f"{_work(layer)} {device.bound_ms(layer, precision):9.4f}" for layer in ranked)])


def lost_ms(layer: Layer, device: Device, precision: str) -> float:
    """How much longer a layer takes than it had to."""
    return layer.ms_p50 - device.bound_ms(layer, precision_of(layer, precision))


def _against(report: LayerReport, device: Device, precision: str) -> str:
    ranked = sorted(report.layers, key=lambda layer: -lost_ms(layer, device, precision))[:_SHOWN_LAYERS]
    lines = [
        f"\nfarthest above their bound on {device.name}",
        f"{'graph':8} {'layer':{2 * _COLUMN}} {'MMAC':>9} {'kB':>9} {'bound ms':>9} {'ms':>9} {'ratio':>7}",
    ]
    for layer in ranked:
        bound = device.bound_ms(layer, precision_of(layer, precision))
        above = _figure(ratio(layer.ms_p50, bound), 7, 1)
        lines.append(f"{_work(layer)} {bound:9.4f} {layer.ms_p50:9.4f} {above}")
    return "\n".join(lines)


def sums(report: LayerReport, key: Callable[[Layer], Key]) -> dict[Key, float]:
    """Milliseconds of each group."""
    totals: dict[Key, float] = defaultdict(float)
    for layer in report.layers:
        totals[key(layer)] += layer.ms_p50
    return dict(totals)


def ordered(groups: list[dict[Key, float]]) -> list[Key]:
    """All groups, graph by graph, the slowest of the first report first."""
    return sorted(set().union(*groups), key=lambda key: (key[0], -(groups[0].get(key) or 0.0), key[1]))


def ratio(value: float | None, base: float | None) -> float | None:
    """*value* over *base*; None where one is missing or there is nothing to divide by."""
    return value / base if value is not None and base else None


def _work(layer: Layer) -> str:
    name = layer.name[: 2 * _COLUMN]
    return f"{layer.graph:8} {name:{2 * _COLUMN}} {layer.macs / 1e6:9.1f} {layer.bytes / 1e3:9.0f}"


def _figure(value: float | None, width: int, digits: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.{digits}f}"
