"""Does the latency table order networks as the device does? ``python -m studies.latency_order --out OUT``.

The six carriers and networks drawn at random from the whole space are exported, built and profiled alike, the carriers
spread evenly among the networks, so that a machine that changes changes for both. OUT/order.json has the predicted and
the profiled milliseconds of each drawn network, and how far the two orders agree. Rerun to resume.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from architectures.cost import deployed_macs
from architectures.latency import LatencyTable, carriers, tabulate
from architectures.rank import agreement, as_text, chance_level
from benchmarks.profiling.layers.layer_report import LayerReport
from networks.lighttrack.architecture import Architecture
from networks.lighttrack.network import LightTrack
from networks.lighttrack.space import WholeSpace
from siamtrt import claim, cli, documents
from siamtrt.environment import describe
from siamtrt.files import sha256, whole_file
from studies.commands import make

MODEL = "lighttrack_mobile"


def main(options: argparse.Namespace) -> None:
    """Build, profile, compare, write and print."""
    carrying = {options.out / f"carrier_{number}": one for number, one in enumerate(carriers())}
    drawn = {options.out / f"network_{number}": one for number, one in enumerate(draw(options.seed, options.networks))}
    for place, architecture in {**carrying, **drawn}.items():
        _build(place, architecture, options.runs)
    for place in spread(list(carrying), list(drawn)):
        words: list[str | Path] = ["--engines", place / "engines", "--threads", "1", "--runs", str(options.runs)]
        make(_report(place), ["benchmarks", "layers", *words, "--out", _report(place)])
    table = tabulate(map(_report, carrying))
    reports = {one: LayerReport.load(_report(place)) for place, one in drawn.items()}
    values = compare(table, reports)
    provenance = {
        "command": cli.command_line("studies.latency_order"),
        "environment": describe(),
        "engines_manifest": next(iter(reports.values())).engines_manifest,  # of the first of the networks
        "reports": {place.name: sha256(_report(place)) for place in (*carrying, *drawn)},
        "seed": options.seed,
    }
    documents.write(options.out / "order.json", {**provenance, **values})
    for row in values["networks"]:
        times = f"{row['predicted_ms']:6.2f} ms predicted, {row['profiled_ms']:6.2f} profiled"
        print(f"{times}, {row['predicted_ms'] / row['profiled_ms']:.3f}  {row['architecture']}")  # noqa: T201
    taus = f"tau {as_text(values['tau'])}, of the work {as_text(values['tau_of_work'])}"
    print(f"{taus}, by chance within +-{values['chance']:.2f}")  # noqa: T201


def draw(seed: int, count: int) -> list[Architecture]:
    """*count* different networks of the whole space, every choice as likely as another."""
    rng, space = np.random.default_rng(seed), WholeSpace()
    found: dict[str, Architecture] = {}
    while len(found) < count:
        architecture = space.architecture(tuple(int(rng.integers(size)) for size in space.sizes))
        found.setdefault(str(architecture), architecture)
    return list(found.values())


def spread(few: list[Path], many: list[Path]) -> list[Path]:
    """All of both, each of the two in its order and spread evenly over the whole."""
    placed = [((index + 0.5) / len(side), path) for side in (few, many) for index, path in enumerate(side)]
    return [path for _, path in sorted(placed, key=lambda pair: pair[0])]


def compare(table: LatencyTable, profiled: dict[Architecture, LayerReport]) -> dict[str, Any]:
    """Predicted and profiled milliseconds of a frame of each network, and Kendall's tau of the two orders."""
    rows: list[dict[str, Any]] = [
        {
            "architecture": str(architecture),
            "macs": deployed_macs(architecture),
            "predicted_ms": table.predict(architecture),
            "profiled_ms": sum(layer.ms_p50 for layer in report.layers if layer.graph != "target"),
        }
        for architecture, report in profiled.items()
    ]
    times = [row["profiled_ms"] for row in rows]
    return {
        "networks": rows,
        "tau": agreement([row["predicted_ms"] for row in rows], times),
        "tau_of_work": agreement([row["macs"] for row in rows], times),
        "chance": chance_level(len(rows)),
    }


def _build(place: Path, architecture: Architecture, runs: int) -> None:
    claim.take(place / "claim.json", {"architecture": str(architecture), "runs": runs})
    checkpoint, onnx, engines = place / "random.pth", place / "onnx", place / "engines"
    if not checkpoint.is_file():
        torch.manual_seed(0)
        with whole_file(checkpoint) as temporary:
            torch.save(LightTrack(architecture).state_dict(), temporary)
    make(onnx / "manifest.json", ["export", "--model", MODEL, "--checkpoint", checkpoint, "--out", onnx])
    make(engines / "manifest.json", ["engines", "--onnx", onnx, "--precision", "fp32", "--out", engines])


def _report(place: Path) -> Path:
    return place / "layers.json"


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.latency_order", "Set the latency table's order beside the device's.")
    arguments.add_argument("--networks", type=cli.count, default=12, help="drawn at random")
    arguments.add_argument("--seed", type=int, default=0, help="of the draw")
    arguments.add_argument("--runs", type=cli.count, default=100, help="of each network, that the medians are of")
    arguments.add_argument("--out", type=Path, required=True, help="folder for everything")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
