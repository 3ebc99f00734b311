"""``python -m benchmarks compare``: layer reports side by side, and against the bound of a device."""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

from benchmarks.layers.report import Layer, LayerReport
from siamtrt import ArtifactError, UsageError
from siamtrt.files import read_json

_DEVICES = Path(__file__).parents[1] / "devices"
_SHOWN_LAYERS = 20
_COLUMN = 28

Key = Tuple[str, str]


@dataclass(frozen=True)
class Device:
    """What a device could do at best: a card in ``benchmarks/devices``.

    Attributes:
        name: device and power mode.
        gpu_ghz: clock of the GPU.
        peak_gmacs: precision -> 1e9 multiply-accumulates a second.
        memory_gb_s: 1e9 bytes a second.
        source: where the figures come from.
    """

    name: str
    gpu_ghz: float
    peak_gmacs: Dict[str, float]
    memory_gb_s: float
    source: str

    @classmethod
    def load(cls, name: str) -> Device:
        """Read a card by name, or from the path of a file.

        Raises:
            UsageError: there is no such card.
            ArtifactError: the file is no card.
        """
        path = Path(name) if name.endswith(".json") else _DEVICES / f"{name}.json"
        if not path.is_file():
            known = ", ".join(sorted(found.stem for found in _DEVICES.glob("*.json")))
            raise UsageError(f"unknown device {name!r}", hint=f"one of {known}, or the path of a .json file")
        try:
            return cls(**read_json(path))
        except TypeError as error:
            raise ArtifactError(f"{path} is not a device card: {error}") from error

    def bound_ms(self, layer: Layer, precision: str) -> float:
        """The least time a layer can take: that of its arithmetic or of its traffic, whichever is longer."""
        compute = layer.macs / self.peak_gmacs[precision] / 1e6
        return max(compute, layer.bytes / self.memory_gb_s / 1e6)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("reports", nargs="+", type=Path, help="files written by python -m benchmarks layers")
    parser.add_argument("--by", choices=("type", "layer", "graph"), default="type")
    parser.add_argument("--device", help="also print the bound of a device, e.g. agx_xavier_maxn")
    parser.add_argument("--precision", choices=("fp32", "fp16", "int8"), default="fp16", help="of that bound")


def main(options: argparse.Namespace) -> None:
    """Print the table asked for."""
    reports = [LayerReport.load(path) for path in options.reports]
    tables = {"type": by_type, "layer": by_layer, "graph": by_graph}
    print(tables[options.by](reports))  # noqa: T201
    if options.device:
        print(bounds(reports[0], Device.load(options.device), options.precision))  # noqa: T201


def by_type(reports: List[LayerReport]) -> str:
    """Milliseconds of each type of layer in each graph."""
    return _table(reports, lambda layer: (layer.graph, layer.type), ("graph", "type"))


def by_graph(reports: List[LayerReport]) -> str:
    """Milliseconds of each graph."""
    return _table(reports, lambda layer: (layer.graph, ""), ("graph", ""))


def by_layer(reports: List[LayerReport]) -> str:
    """Milliseconds of each layer, the slowest of the first report first."""
    return _table(reports, lambda layer: (layer.graph, layer.name), ("graph", "layer"))


def bounds(report: LayerReport, device: Device, precision: str) -> str:
    """The layers that take longest on *device* at best; computed from its card, not measured on it."""
    ranked = sorted(report.layers, key=lambda layer: -device.bound_ms(layer, precision))[:_SHOWN_LAYERS]
    total = sum(device.bound_ms(layer, precision) for layer in report.layers if layer.graph in ("search", "xcorr"))
    lines = [
        f"\nlower bound on {device.name} in {precision}, computed, not measured: "
        f"{total:.3f} ms a frame for search and xcorr",
        f"{'graph':8} {'layer':{2 * _COLUMN}} {'MMAC':>9} {'kB':>9} {'bound ms':>9}",
    ]
    lines += [
        f"{layer.graph:8} {layer.name[: 2 * _COLUMN]:{2 * _COLUMN}} {layer.macs / 1e6:9.1f} "
        f"{layer.bytes / 1e3:9.0f} {device.bound_ms(layer, precision):9.4f}"
        for layer in ranked
    ]
    return "\n".join(lines)


def _table(reports: List[LayerReport], key: Callable[[Layer], Key], titles: Key) -> str:
    sums = [_sums(report, key) for report in reports]
    order = sorted(set().union(*sums), key=lambda entry: (entry[0], -(sums[0].get(entry) or 0.0)))
    lines = [f"{number + 1}: {report.title}" for number, report in enumerate(reports)]
    heads = " ".join(f"{f'ms {number + 1}':>9}" for number in range(len(reports)))
    ratios = " ".join(f"{f'{number + 1}/1':>7}" for number in range(1, len(reports)))
    lines.append(f"{titles[0]:8} {titles[1]:{_COLUMN}} {heads} {ratios}".rstrip())
    for entry in order:
        figures = " ".join(_figure(found.get(entry), 9, 4) for found in sums)
        shares = " ".join(_figure(_ratio(found.get(entry), sums[0].get(entry)), 7, 2) for found in sums[1:])
        lines.append(f"{entry[0]:8} {entry[1][:_COLUMN]:{_COLUMN}} {figures} {shares}".rstrip())
    return "\n".join(lines)


def _sums(report: LayerReport, key: Callable[[Layer], Key]) -> Dict[Key, float]:
    totals: Dict[Key, float] = defaultdict(float)
    for layer in report.layers:
        totals[key(layer)] += layer.ms_p50
    return dict(totals)


def _ratio(value: Optional[float], base: Optional[float]) -> Optional[float]:
    return value / base if value is not None and base else None


def _figure(value: Optional[float], width: int, digits: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.{digits}f}"
