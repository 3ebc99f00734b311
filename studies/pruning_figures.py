"""Figures of docs/pruning.md: ``python -m studies.pruning_figures record`` and ``draw``.

``record`` joins what was measured of a model and its variants into one file of ``docs/measured/``; ``draw`` shows what
tracking is left at a share of the multiply-accumulates, the thesis' hollow beside.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks.evaluation.leaks import KEY
from benchmarks.reports.drawing.plots import Point, points
from benchmarks.trials.sweep.page import published
from siamtrt import Manifest, ModelCard, cli, documents
from siamtrt.environment import describe
from siamtrt.files import read_json, write_text

_THESIS = "thesis: EAO of ResNet-50 in PyTorch, retrained, trunk frozen"
# Of the search graph at the thesis' parameter counts, computed: widths in multiples of 32 that reach them.
_THESIS_SHARES = {"45.5": 1.0, "30": 0.676, "22.5": 0.525, "12": 0.316}
_SIZE = (760.0, 380.0)


def main(options: argparse.Namespace) -> None:
    """Record or draw, and print the path."""
    if options.what == "record":
        documents.write(options.out, _record(options))
    else:
        dots = [dot for path in options.records for dot in _ours(read_json(path))]
        titles = ("share of the search graph's multiply-accumulates", "tracking left, whole = 1")
        write_text(options.out, points([*dots, *_thesis()], titles, size=_SIZE).markup + "\n")
    print(options.out)  # noqa: T201


def _record(options: argparse.Namespace) -> dict[str, Any]:
    """Work, success and time of each model, and what ``studies.pruning_scores`` found of the scores."""
    speed = {
        row["name"]: row
        for path in options.speed
        for row in read_json(path)["rows"]
        if row.get("precision", "fp32") == "fp32"
    }
    judged = {name: entry for path in options.judged for name, entry in read_json(path)["models"].items()}
    models, files = {}, {}
    for folder in options.engines:
        card = ModelCard.load(folder)
        timed = speed.get(f"{card.title} {folder.name}")
        entry = judged["/".join(folder.resolve().parts[-3:])]
        files.update({f"{card.title}: {name}": digest for name, digest in _files(folder).items()})
        models[card.title] = {
            "checkpoint_sha256": card.checkpoint_sha256,
            "graphs": {graph.name: {"macs": graph.macs, "parameters": graph.parameters} for graph in card.graphs},
            "success_auc": entry["worth"],
            "groups": entry["groups"],
            KEY: entry.get(KEY, []),
            "videos": {
                group: {name: run["success_auc"] for name, run in runs.items()}
                for group, runs in entry["videos"].items()
            },
            "processor_ratio": timed["ratio"] if timed else None,
            "turns": len(timed["wall_ms"]) if timed else 0,
        }
    return {
        "command": cli.command_line("studies.pruning_figures"),
        "environment": describe(),
        "engines_manifest": {"files": files},
        "models": models,
        "taught": options.taught,
        "scores": read_json(options.scores) if options.scores else None,
    }


def _files(folder: Path) -> dict[str, str]:
    return Manifest.load(folder, stage="engines").files


def _ours(record: dict[str, Any]) -> list[Point]:
    """Success on the held-out videos of each variant over its work; the first model is the whole one."""
    whole, *_ = record["models"].values()
    name = next(iter(record["models"]))
    return [
        Point(
            f"{entry['success_auc']:.3f}",
            entry["graphs"]["search"]["macs"] / whole["graphs"]["search"]["macs"],
            entry["success_auc"] / whole["success_auc"],
            f"{name}: success, {'cut, then taught' if title in record['taught'] else 'cut alone'}",
        )
        for title, entry in record["models"].items()
    ]


def _thesis() -> list[Point]:
    rows = {row["name"]: row["eao"] for row in published()["pruned"]}
    whole = rows["45.5 M, PyTorch FP32"]
    return [
        Point(f"{eao:.3f}", share, eao / whole, _THESIS, foreign=True)
        for size, share in _THESIS_SHARES.items()
        for eao in [rows[f"{size} M, PyTorch FP32"]]
    ]


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.pruning_figures", "What pruning leaves, recorded and drawn.")
    arguments.add_argument("what", choices=("record", "draw"))
    arguments.add_argument(
        "--engines", type=Path, nargs="+", default=[], help="record: of every model, the whole first"
    )
    arguments.add_argument("--speed", type=Path, nargs="+", default=[], help="record: of studies.pruning_speed")
    arguments.add_argument("--judged", type=Path, nargs="+", default=[], help="record: of benchmarks judge")
    arguments.add_argument("--scores", type=Path, help="record: of studies.pruning_scores")
    arguments.add_argument("--taught", nargs="+", default=[], help="record: the titles that were distilled")
    arguments.add_argument("--records", type=Path, nargs="+", default=[], help="draw: what was recorded")
    arguments.add_argument("--out", type=Path, required=True, help="a JSON or an SVG file")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
