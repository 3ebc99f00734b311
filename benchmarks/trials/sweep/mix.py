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
from sequences.sequence import Sequence as Video
from siamtrt import Array, GraphPrecisions, Manifest, documents
from siamtrt.files import sha256
from siamtrt.manifest import FILE_NAME

_ROUND_FRAMES = 300


@dataclass(frozen=True)
class Turn:
    """A mix in one round of timing.

    Attributes:
        engines: its folder.
        label: of the mix.
        number: of the round.
    """

    engines: Path
    label: str
    number: int

    @property
    def name(self) -> str:
        """Names its files."""
        return f"{self.label}.{self.number}"


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
    videos: Sequence[Video]
    annotations: Path | None
    ranges: Path | None
    backend: str
    out: Path
    reference: str
    request: Mapping[str, Any]

    def known(self, mix: GraphPrecisions) -> Row | None:
        """The row of *mix* that an earlier run finished; None where there is none.

        Raises:
            ArtifactError: its record is damaged.
        """
        result, report = self._trial(mix).result(), self._report(mix)
        if result and report.is_file() and sha256(report) == result["report_sha256"]:
            return documents.build(Row, result)
        return None

    def measured(self, mix: GraphPrecisions) -> Row:
        """The row of *mix*, without the drift, which needs the boxes of another one.

        Raises:
            InferenceError: a process ended in a traceback.
            ArtifactError: what it left is damaged.
        """
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
        row, ope = Row.of(mix.label, report), self.out / "ope" / mix.label
        if not self._has_boxes(mix.label):
            words = ["benchmarks", "ope", *run, "--out", ope, "--tracker", mix.label]
            refused = child.run(words, logs / f"{mix.label}.ope.txt")
            if refused:
                return replace(row, no_drift=refused)
        return row

    def concluded(self, mix: GraphPrecisions, row: Row, *, disturbed: bool = False) -> Row:
        """Finish the trial of *mix*: how closely its boxes without resets follow those of the reference.

        Args:
            mix: that *row* is of.
            row: as it was measured.
            disturbed: other trials ran beside it, so its times and watts count for nothing.
        """
        if disturbed:
            row = row.without_times()
        if row.skipped or row.no_drift:
            return row
        if not self._has_boxes(self.reference):
            return replace(row, no_drift=f"{self.reference} has no boxes to compare with")
        drifts = [drift(self._boxes(row.label, one), self._boxes(self.reference, one)) for one in self.videos]
        row = replace(row, drift_overlap=float(np.mean([one.mean_overlap for one in drifts])))
        self._trial(mix).finish(asdict(row))
        return row

    def turn(self, mix: GraphPrecisions, number: int) -> Turn:
        """That of *mix* in round *number*."""
        return Turn(self.out / "engines" / mix.label, mix.label, number)

    def known_time(self, turn: Turn) -> SpeedReport | None:
        """The report of a turn that an earlier run took with these engines.

        Raises:
            ArtifactError: a report or the engines are damaged.
        """
        report, files = self._round(turn), Manifest.load(turn.engines, stage="engines").files
        done = SpeedReport.load(report) if report.is_file() else None
        return done if done and done.engines_manifest and done.engines_manifest["files"] == files else None

    def timed(self, turn: Turn) -> SpeedReport | None:
        """Time a mix again, as its turn in a round; None where that is refused, which its log explains.

        One mix after another is measured in other hours, and the hour is not what shall be compared.

        Raises:
            InferenceError: a process ended in a traceback.
            ArtifactError: what it left is damaged.
        """
        report = self._round(turn)
        run = replace(self.run, engines=turn.engines, only=self._of_a_round(), allow_leak=False)
        words = ["benchmarks", "speed", *child.words_of(run), "--probe", "none", "--idle-s", 0, "--out", report]
        refused = child.run([*words, "--protocol", self.run.protocol], self.out / "logs" / f"{turn.name}.speed.txt")
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

    def _trial(self, mix: GraphPrecisions) -> Trial:
        settings = {**self.request, "precision": str(mix), "drift_from": self.reference}
        return Trial(mix.label, self.out / "trials", settings)

    def _has_boxes(self, label: str) -> bool:
        return all(result_path(self._results(label), label, video.name).is_file() for video in self.videos)

    def _boxes(self, label: str, video: Video) -> Array:
        return read(self._results(label), label, video)

    def _results(self, label: str) -> Path:
        """A folder for each mix, as the command that runs it compares all that lie in one, finished or not."""
        return self.out / "ope" / label / "results"

    def _report(self, mix: GraphPrecisions) -> Path:
        return self.out / "reports" / mix.label / "report.json"

    def _round(self, turn: Turn) -> Path:
        return self.out / "rounds" / f"{turn.name}.json"

    def _engine_words(self, mix: GraphPrecisions, out: Path) -> list[object]:
        words: list[object] = ["--onnx", self.onnx, "--backend", self.backend, "--precision", mix, "--out", out]
        if self.ranges and mix.int8_roles:
            words += ["--ranges", self.ranges]
        if self.backend == "tensorrt":
            words += ["--timing-cache", self.out / "timing"]
        return words
