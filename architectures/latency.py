"""How long an architecture takes on a device, from six networks that were profiled there.

Carrier *k* has choice *k* in every block and both towers of width ``k // 2`` and kernel ``k % 2`` throughout, so
together they hold every block and layer of the space, each in its place. A block alone would be measured in another
state of the caches, so the times are those of the layers inside the whole networks, summed by the names of their
weights.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Dict, List, Tuple

from architectures.cost import Cost, deployed_macs, parts
from benchmarks.profiling.layers.layer_report import Layer, LayerReport, original_name
from networks.lighttrack.architecture import CHOICES, TOWER_KERNELS, TOWER_LAYERS, TOWER_WIDTHS, Architecture, Tower
from siamtrt import ArtifactError, UsageError
from siamtrt.documents import Format
from siamtrt.files import sha256

_HINT = "write it anew with python -m architectures lut"
FORMAT = Format("a latency table", schema=1, hint=_HINT, kind="latency table")
_PARTS = (  # of a layer's name, and the part of the network it belongs to
    (re.compile(r"^features\.blocks\.(\d+\.\d+)\b"), "blocks.{}"),
    (re.compile(r"^head\.((?:cls|reg)_tower\.\d+)\b"), "{}"),
    (re.compile(r"^(?:normalise|features\.conv_stem)\b"), "stem"),
    (re.compile(r"^(?:feature_pw|neck)\b"), "fusion"),
    (re.compile(r"^(?:correlation|feature_fusor|kernel)"), "fusion"),
    (re.compile(r"^(?:cls|head\.cls_perd)\b"), "cls_pred"),
    (re.compile(r"^(?:loc|head\.reg_pred)\b"), "reg_pred"),
)
_MOST_UNATTRIBUTED = 0.1
_FUSION = ("neck", "correlation", "gate", "adjust")  # parts of the closed form that a table has as one
_STRIDE = 16  # of the carriers: on the map of another stride every layer takes another time
# What all reports have to agree in, and the packages whose layers they time.
_SAME = ("cpu", "cpu_online", "board", "l4t", "power_mode")
_RUNTIMES = ("onnxruntime", "tensorrt", "tensorrt-rtx-cu12")


@dataclass(frozen=True)
class LatencyTable:
    """Milliseconds of each part in each place.

    Attributes:
        milliseconds: name of the entry -> median.
        reports: path of each carrier's layer report -> sha256.
        title: backend and precision of the reports.
        environment: what all reports agree in: machine, versions of the runtimes, threads.
    """

    milliseconds: Dict[str, float]
    reports: Dict[str, str]
    title: str
    environment: Dict[str, str]

    def predict(self, architecture: Architecture) -> float:
        """Milliseconds of search and xcorr together.

        Raises:
            UsageError: the network's stride is not the carriers'.
        """
        if architecture.stride != _STRIDE:
            raise UsageError(
                f"{architecture} has stride {architecture.stride}, the table is of networks of stride {_STRIDE}",
                hint="an output of stage 2 or 3, as ..._ops_20",
            )
        return sum(self.milliseconds[entry] for entry in _entries(architecture))

    def save(self, path: Path) -> None:
        """Write the table as JSON; the paths of its reports are relative to its folder."""
        reports = {os.path.relpath(report, path.parent.resolve()): digest for report, digest in self.reports.items()}
        FORMAT.save(path, asdict(replace(self, reports=reports)))

    @classmethod
    def load(cls, path: Path) -> LatencyTable:
        """Read a table and prove that the reports behind it are still those it was made of.

        Raises:
            ArtifactError: it is absent or damaged, or a report is gone or has changed.
        """
        table = FORMAT.read(path, cls)
        reports = {str((path.parent / report).resolve()): digest for report, digest in table.reports.items()}
        for report, digest in reports.items():
            if not Path(report).is_file() or sha256(Path(report)) != digest:
                raise ArtifactError(f"{path} was made of {report}, which is gone or has changed", hint=_HINT)
        return replace(table, reports=reports)


def carriers() -> Tuple[Architecture, ...]:
    """The six networks whose layers make up a table."""
    made: List[Architecture] = []
    for choice in range(len(CHOICES)):
        tower = Tower(TOWER_WIDTHS[choice // 2], (TOWER_KERNELS[choice % 2],) * TOWER_LAYERS)
        made.append(Architecture(((choice,) * 2, *[(choice,) * 4] * 3), tower, tower))
    return tuple(made)


def tabulate(reports: Iterable[Path]) -> LatencyTable:
    """Make a table of the layer reports of the six :func:`carriers`, in their order.

    Raises:
        ArtifactError: a report is damaged or of another network, they are of different machines, runtimes or
            precisions, more than a tenth of the time belongs to no known part, or a part has no layer.
    """
    paths = list(reports)
    if len(paths) != len(CHOICES):
        raise ArtifactError(f"a table is made of {len(CHOICES)} layer reports, these are {len(paths)}")
    loaded = [LayerReport.load(path) for path in paths]
    found: Dict[str, List[float]] = {}
    for path, report, architecture in zip(paths, loaded, carriers()):
        _require_carrier(path, report, architecture)
        _require_alike(path, report, loaded[0])
        times = attribute([layer for layer in report.layers if layer.graph != "target"], parts(architecture), path)
        _require_every_part(path, times, architecture)
        for entry, part in zip(_entries(architecture), _names(architecture)):
            found.setdefault(entry, []).append(times[part])
    return LatencyTable(
        {entry: sum(values) / len(values) for entry, values in found.items()},
        {str(path.resolve()): sha256(path) for path in paths},
        _how(loaded[0]),
        _conditions(loaded[0]),
    )


def attribute(layers: List[Layer], costs: Mapping[str, Cost], path: Path) -> Dict[str, float]:
    """Milliseconds of each part of a network.

    A layer whose name says nothing moves data for the one behind it. One that joins several parts is split by their
    multiply-accumulates.

    Raises:
        ArtifactError: more than a tenth of the time belongs to no known part.
    """
    costs = {**costs, "fusion": sum((costs[part] for part in _FUSION), Cost())}
    times: Dict[str, float] = {}
    total, waiting = sum(layer.ms_p50 for layer in layers), 0.0
    last: Tuple[str, ...] = ()
    unknown = 0.0
    for layer in layers:
        owners = tuple(owner for owner in _owners(layer.name) if owner in costs)
        if not owners:
            waiting += layer.ms_p50
            unknown += 0.0 if layer.type.startswith("Reorder") else layer.ms_p50
            continue
        _share(times, owners, layer.ms_p50 + waiting, costs)
        waiting, last = 0.0, owners
    if last:
        _share(times, last, waiting, costs)
    if unknown > _MOST_UNATTRIBUTED * total:
        raise ArtifactError(f"{path}: {unknown / total:.0%} of the time belongs to no known part of LightTrack")
    return times


def _share(times: Dict[str, float], owners: Tuple[str, ...], milliseconds: float, costs: Mapping[str, Cost]) -> None:
    weights = [costs[owner].macs for owner in owners]
    for owner, weight in zip(owners, weights):
        share = weight / sum(weights) if sum(weights) else 1 / len(owners)
        times[owner] = times.get(owner, 0.0) + share * milliseconds


def _owners(name: str) -> Tuple[str, ...]:
    """The parts that a layer belongs to, each once, in the order of its name."""
    owners: List[str] = []
    for piece in re.split(r" \+ |,", name):
        for pattern, part in _PARTS:
            match = pattern.match(original_name(piece.strip()))
            if match:
                owners.append(part.format(*match.groups()))
                break
    return tuple(dict.fromkeys(owners))


def _names(architecture: Architecture) -> List[str]:
    """The parts of a network, in the order of :func:`_entries`."""
    blocks = [f"blocks.{s}.{b}" for s, digits in enumerate(architecture.stages, start=1) for b in range(len(digits))]
    towers = (("cls", architecture.cls), ("reg", architecture.reg))
    layers = [f"{branch}_tower.{place}" for branch, tower in towers for place in range(len(tower.kernels))]
    return ["stem", "blocks.0.0", "fusion", *blocks, *layers, "cls_pred", "reg_pred"]


def _entries(architecture: Architecture) -> List[str]:
    """The entry of each part: what it is and whether it is the first of its stage or tower."""
    blocks = [
        f"stage {stage} {_place(place)} {digit}"
        for stage, digits in enumerate(architecture.stages, start=1)
        for place, digit in enumerate(digits)
    ]
    layers = [
        f"tower {tower.width} {_place(place)} {kernel}"
        for tower in (architecture.cls, architecture.reg)
        for place, kernel in enumerate(tower.kernels)
    ]
    predictions = [f"cls {architecture.cls.width}", f"reg {architecture.reg.width}"]
    return ["stem", "first block", "fusion", *blocks, *layers, *predictions]


def _place(index: int) -> str:
    return "rest" if index else "first"


def _require_carrier(path: Path, report: LayerReport, architecture: Architecture) -> None:
    counted = sum(layer.macs for layer in report.layers if layer.graph != "target")
    wanted = deployed_macs(architecture)
    if counted != wanted:
        raise ArtifactError(
            f"{path} is of a network with {counted:,} multiply-accumulates, expected the {wanted:,} of {architecture}",
            hint="export and profile what python -m architectures carriers wrote, and name the reports in that order",
        )


def _require_alike(path: Path, report: LayerReport, first: LayerReport) -> None:
    here, there = _conditions(report), _conditions(first)
    differing = [key for key in here if here[key] != there[key]]
    if differing or _how(report) != _how(first):
        raise ArtifactError(
            f"{path} was measured otherwise than the first report: {', '.join(differing) or _how(report)}",
            hint="profile the six carriers on one machine in one precision",
        )


def _require_every_part(path: Path, times: Mapping[str, float], architecture: Architecture) -> None:
    """A part that no layer names would pass for one that takes no time."""
    unnamed = [part for part in _names(architecture) if part not in times]
    if unnamed:
        raise ArtifactError(
            f"{path}: no layer's name tells of {', '.join(unnamed)}",
            hint="profile engines that keep the layers' names, such as those of ONNX Runtime",
        )


def _conditions(report: LayerReport) -> Dict[str, str]:
    """What the times of a report hold for."""
    packages = report.environment.get("packages") or {}
    values = {
        **{key: report.environment.get(key) for key in _SAME},
        **{key: packages.get(key) for key in _RUNTIMES},
        "threads": report.threads,
    }
    return {key: str(value) for key, value in values.items()}


def _how(report: LayerReport) -> str:
    """Backend and precision, which stand in the title before the work."""
    return " ".join(report.title.split(", ")[0].split(" ")[1:])
