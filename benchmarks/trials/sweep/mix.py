"""One mix of precisions: built, benched and run without resets, each in a process of its own; or why it was not."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np

from benchmarks.evaluation.drift import drift
from benchmarks.evaluation.ope.results import read, result_path
from benchmarks.evaluation.options import RunOptions
from benchmarks.profiling.speed.speed_report import SpeedReport
from benchmarks.trials import child
from benchmarks.trials.sweep.row import Row
from benchmarks.trials.trial import Trial
from sequences import sequence as videos
from siamtrt import GraphPrecisions, Manifest, documents
from siamtrt.files import sha256
from siamtrt.manifest import FILE_NAME

_ROUND_FRAMES = 300


@dataclass(frozen=True)
class Sweep:
    """What every mix of a sweep has in common.

    Attributes:
        onnx: folder written by ``python -m export``.
        run: without engines; its sequences are named.
        videos: the sequences that were asked for.
        annotations: PySOT's JSON; None to make one from the sequences.
        ranges: folder written by ``python -m calibration``; None for none.
        backend: as ``python -m engines`` takes it.
        out: engines, reports and boxes of all mixes lie in it.
        reference: label of the mix that drift is measured from.
        request: what decides about the figures of every mix.
    """

    onnx: Path
    run: RunOptions
    videos: Sequence[videos.Sequence]
    annotations: Path | None
    ranges: Path | None
    backend: str
    out: Path
    reference: str
    request: Mapping[str, Any]

    def measured(self, mix: GraphPrecisions) -> Row:
        """The row of *mix*; what an earlier run finished is taken as it is.

        Raises:
            InferenceError: a process ended in a traceback.
            ArtifactError: what it left is damaged.
        """
        settings = {**self.request, "precision": str(mix), "drift_from": self.reference}
        trial, report = Trial(mix.label, self.out / "trials", settings), self._report(mix)
        result = trial.result()
        if result and report.is_file() and sha256(report) == result["report_sha256"]:
            return documents.build(Row, result)
        row = self._carried_out(mix)
        if not (row.skipped or row.no_drift):
            trial.finish(asdict(row))
        return row

    def timed(self, mix: GraphPrecisions, number: int) -> SpeedReport | None:
        """Time *mix* again, as its turn in round *number*; None where that is refused, which its log explains.

        One mix after another is measured in other hours, and the hour is not what shall be compared.

        Raises:
            InferenceError: a process ended in a traceback.
            ArtifactError: what it left is damaged.
        """
        engines, name = self.out / "engines" / mix.label, f"{mix.label}.{number}"
        report = self.out / "rounds" / f"{name}.json"
        files = Manifest.load(engines, stage="engines").files
        if report.is_file():
            done = SpeedReport.load(report)
            if done.engines_manifest and done.engines_manifest["files"] == files:
                return done
        run = replace(self.run, engines=engines, only=self._of_a_round(), allow_leak=False)
        words = ["benchmarks", "speed", *child.words_of(run), "--probe", "none", "--idle-s", 0, "--out", report]
        refused = child.run([*words, "--protocol", self.run.protocol], self.out / "logs" / f"{name}.speed.txt")
        return None if refused else SpeedReport.load(report)

    def _of_a_round(self) -> tuple[str, ...]:
        """The shortest sequences, as many as make up the frames of a round."""
        names: list[str] = []
        frames = 0
        for video in sorted(self.videos, key=len):
            if frames >= _ROUND_FRAMES:
                break
            names.append(video.name)
            frames += len(video)
        return tuple(names)

    def _carried_out(self, mix: GraphPrecisions) -> Row:
        """Do what of *mix* is not done."""
        engines, report, logs = self.out / "engines" / mix.label, self._report(mix), self.out / "logs"
        run = child.words_of(replace(self.run, engines=engines))
        if not report.is_file():
            refused = None
            if not (engines / FILE_NAME).is_file():
                refused = child.run(["engines", *self._engine_words(mix, engines)], logs / f"{mix.label}.engines.txt")
            if not refused:
                words = ["benchmarks", "bench", *run, "--out", report.parent, "--layer-runs", 0]
                words += ["--protocol", self.run.protocol]
                words += ["--annotations", self.annotations] if self.annotations else []
                refused = child.run(words, logs / f"{mix.label}.bench.txt")
            if refused:
                return Row(mix.label, skipped=refused)
        row, ope = Row.of(mix.label, report), self.out / "ope"
        if not self._has_boxes(mix.label):
            words = ["benchmarks", "ope", *run, "--out", ope, "--tracker", mix.label]
            refused = child.run(words, logs / f"{mix.label}.ope.txt")
            if refused:
                return replace(row, no_drift=refused)
        return self._with_drift(row)

    def _with_drift(self, row: Row) -> Row:
        """How closely the boxes without resets follow those of the reference."""
        if not self._has_boxes(self.reference):
            return replace(row, no_drift=f"{self.reference} has no boxes to compare with")
        boxes = self.out / "ope" / "results"
        drifts = [drift(read(boxes, row.label, one), read(boxes, self.reference, one)) for one in self.videos]
        return replace(row, drift_overlap=float(np.mean([one.mean_overlap for one in drifts])))

    def _has_boxes(self, label: str) -> bool:
        boxes = self.out / "ope" / "results"
        return all(result_path(boxes, label, sequence.name).is_file() for sequence in self.videos)

    def _report(self, mix: GraphPrecisions) -> Path:
        return self.out / "reports" / mix.label / "report.json"

    def _engine_words(self, mix: GraphPrecisions, out: Path) -> list[object]:
        words: list[object] = ["--onnx", self.onnx, "--backend", self.backend, "--precision", mix, "--out", out]
        if self.ranges and mix.int8_roles:
            words += ["--ranges", self.ranges]
        if self.backend == "tensorrt":
            words += ["--timing-cache", self.out / "timing"]
        return words
