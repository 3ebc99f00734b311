"""``python -m benchmarks drift``: how closely a run without resets follows another, or the truth."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.evaluation.drift import drift_of_files, drift_of_folders, mean
from siamtrt import cli, documents


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--boxes", type=Path, required=True, help="boxes.txt of runtime track, or OUT/results/A of ope")
    parser.add_argument("--reference", type=Path, required=True, help="another run, groundtruth.txt, or OUT/results/B")
    parser.add_argument(
        "--truth",
        type=Path,
        help="groundtruth.txt, or a folder of NAME/groundtruth.txt: stop where the reference is lost",
    )
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    cli.add_json(parser)


def main(options: argparse.Namespace) -> None:
    """Compare and print."""
    if options.boxes.is_dir() and options.reference.is_dir():
        drifts = drift_of_folders(options.boxes, options.reference, options.truth)
        document: dict[str, Any] = mean(drifts)
        rows = {name: f"{row.mean_overlap:.4f}, lowest {row.lowest_overlap:.4f}" for name, row in drifts.items()}
        lines = {**rows, **{f"mean {name}": value for name, value in document.items()}}
        document["sequences"] = {name: asdict(row) for name, row in drifts.items()}
    else:
        lines = document = asdict(drift_of_files(options.boxes, options.reference, options.truth))
    if options.out:
        documents.write(options.out, document)
    rows_of_text = [
        f"{name.replace('_', ' '):24} {f'{value:.4f}' if isinstance(value, float) else value}"
        for name, value in lines.items()
    ]
    cli.show(options, "\n".join(rows_of_text), document)
