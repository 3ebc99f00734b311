"""One mix of precisions: built, benched and run without resets, each in a process of its own; or why it was not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import numpy as np

from benchmarks.evaluation.drift import drift
from benchmarks.evaluation.ope.results import read, result_path
from benchmarks.trials import child
from benchmarks.trials.sweep.row import Row
from sequences import sequence as videos
from siamtrt import GraphPrecisions
from siamtrt.manifest import FILE_NAME


@dataclass(frozen=True)
class Sweep:
    """What was asked for; the fields are the options of the command."""

    onnx: Path
    sequences: Path
    only: Tuple[str, ...]
    annotations: Optional[Path]
    protocol: str
    ranges: Optional[Path]
    backend: str
    threads: Optional[int]
    leak_allowed: bool
    out: Path


def measured(sweep: Sweep, mix: GraphPrecisions, sequences: Sequence[videos.Sequence], reference: str) -> Row:
    """The row of *mix*; what an earlier run finished is taken as it is.

    Args:
        sweep: what was asked for.
        mix: one precision for each graph.
        sequences: that were asked for.
        reference: label of the mix that drift is measured from.

    Raises:
        InferenceError: a process ended in a traceback.
        ArtifactError: what it left is damaged.
    """
    engines, report = sweep.out / "engines" / mix.label, sweep.out / "reports" / mix.label
    logs = sweep.out / "logs"
    if not (report / "report.json").is_file():
        refused = None
        if not (engines / FILE_NAME).is_file():
            refused = child.run(["engines", *_engine_words(sweep, mix, engines)], logs / f"{mix.label}.engines.txt")
        if not refused:
            words = ["benchmarks", "bench", *_bench_words(sweep, engines, report)]
            refused = child.run(words, logs / f"{mix.label}.bench.txt")
        if refused:
            return Row(mix.label, skipped=refused)
    row = Row.of(mix.label, report / "report.json")
    boxes = sweep.out / "ope" / "results"
    if not all(result_path(boxes, mix.label, sequence.name).is_file() for sequence in sequences):
        words = ["benchmarks", "ope", *_run_words(sweep, engines, sweep.out / "ope"), "--tracker", mix.label]
        refused = child.run(words, logs / f"{mix.label}.ope.txt")
        if refused:
            return replace(row, no_drift=refused)
    return _with_drift(row, boxes, sequences, reference)


def _with_drift(row: Row, boxes: Path, sequences: Sequence[videos.Sequence], reference: str) -> Row:
    """How closely the boxes without resets follow those of the reference."""
    if not all(result_path(boxes, reference, sequence.name).is_file() for sequence in sequences):
        return replace(row, no_drift=f"{reference} has no boxes to compare with")
    found = [drift(read(boxes, row.label, one), read(boxes, reference, one)).mean_overlap for one in sequences]
    return replace(row, drift_overlap=float(np.mean(found)))


def _engine_words(sweep: Sweep, mix: GraphPrecisions, out: Path) -> List[object]:
    words: List[object] = ["--onnx", sweep.onnx, "--backend", sweep.backend, "--precision", mix, "--out", out]
    if sweep.ranges and mix.int8_roles:
        words += ["--ranges", sweep.ranges]
    if sweep.backend == "tensorrt":
        words += ["--timing-cache", sweep.out / "timing"]
    return words


def _bench_words(sweep: Sweep, engines: Path, out: Path) -> List[object]:
    words = [*_run_words(sweep, engines, out), "--layer-runs", 0, "--protocol", sweep.protocol]
    return [*words, "--annotations", sweep.annotations] if sweep.annotations else words


def _run_words(sweep: Sweep, engines: Path, out: Path) -> List[object]:
    words: List[object] = ["--engines", engines, "--sequences", sweep.sequences, "--out", out]
    words += ["--only", *sweep.only] if sweep.only else []
    words += ["--threads", sweep.threads] if sweep.threads else []
    return [*words, "--allow-leak"] if sweep.leak_allowed else words
