"""A tracker that is to run through sequences: what makes its results, where they go, and which are there already."""

from __future__ import annotations

import argparse
import logging
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, ContextManager, Mapping

from benchmarks.evaluation.leaks import KEY as LEAKED
from benchmarks.evaluation.leaks import require_no_leak
from benchmarks.evaluation.opencv import NANO, TRACKERS, Opencv, OpencvTracker, declare_files
from benchmarks.evaluation.options import RunOptions, declare
from benchmarks.evaluation.trackers import BoxTracker, OurTracker
from sequences.sequence import Sequence
from siamtrt import GraphPrecisions, Manifest, ModelCard, UsageError, documents
from siamtrt.files import read_json

_KEY = "made_by"

log = logging.getLogger(__name__)

ResultPath = Callable[[Path, str, str], Path]


@dataclass(frozen=True)
class Plan:
    """A tracker and where its results go; it can be sent to another process.

    Attributes:
        out: results go to ``OUT/results``, and what their form has no place for to ``OUT/times``.
        tracker: name of the results.
        runs: folder written by ``python -m engines``, or a tracker of OpenCV.
        threads: of the CPU backend.
        leaked: sequences that calibrated or pruned the engines.
        made_by: what decides about a result, as it is kept beside it.
    """

    out: Path
    tracker: str
    runs: Path | Opencv
    threads: int | None
    leaked: tuple[str, ...]
    made_by: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        run: RunOptions,
        sequences: list[Sequence],
        out: Path,
        rules: Mapping[str, Any] | None,
        tracker: str | None = None,
        opencv: Opencv | None = None,
    ) -> Plan:
        """Plan to run the engines that *run* names, or *opencv*; *rules* of a protocol are what decides about results.

        Raises:
            UsageError: not one tracker is named, or sequences calibrated the engines and that is not allowed.
            ArtifactError: the engines are unfinished, or not what their manifest says.
        """
        runs = run.engines or opencv
        if runs is None or (run.engines and opencv):
            raise UsageError("name one tracker", hint="--engines DIR, or --opencv NAME")
        if isinstance(runs, Opencv):
            made_by = {"engines": None, "opencv": runs.identity, "protocol": rules}
            return cls(out, tracker or f"OpenCV-{runs.name}", runs, run.threads, (), made_by)
        leaked = require_no_leak(runs, sequences, allowed=run.allow_leak)
        made_by = {"engines": Manifest.load(runs, stage="engines").files, "opencv": None, "protocol": rules}
        return cls(out, tracker or tracker_name(runs), runs, run.threads, tuple(leaked), made_by)

    def open(self) -> ContextManager[BoxTracker]:
        """The tracker, closed behind a block."""
        if isinstance(self.runs, Opencv):
            return nullcontext(OpencvTracker(self.runs))
        return closing(OurTracker(self.runs, self.threads))

    def keep(self, sequence: Sequence, notes: Mapping[str, Any]) -> None:
        """Write what belongs beside the result of *sequence*, before the result itself is written."""
        leaked = {LEAKED: sequence.name in self.leaked}
        document = {"unit": "ns", **notes, **leaked, _KEY: self._made_by(sequence)}
        documents.write(notes_path(self.out, self.tracker, sequence.name), document, indent=None)

    def waiting(self, sequences: list[Sequence], result_path: ResultPath) -> list[Sequence]:
        """The sequences without a result, each of which is written last, whole or not at all.

        Args:
            sequences: to run.
            result_path: where the result of a tracker on a sequence lies below ``OUT/results``.

        Raises:
            UsageError: a result was made by other engines or rules, of another sequence, or does not say what made it.
            ArtifactError: what is kept beside a result is damaged.
        """
        missing = []
        for sequence in sequences:
            result = result_path(self.out / "results", self.tracker, sequence.name)
            notes = notes_path(self.out, self.tracker, sequence.name)
            if not result.is_file():
                missing.append(sequence)
            elif not notes.is_file() or read_json(notes).get(_KEY) != self._made_by(sequence):
                raise UsageError(
                    f"{result} was made by other engines, under another protocol or of another sequence",
                    hint="choose another --tracker or --out, or delete the results",
                )
        if len(missing) < len(sequences):
            log.info("%d sequences are there already", len(sequences) - len(missing))
        return missing

    def _made_by(self, sequence: Sequence) -> dict[str, Any]:
        """What decides about one result: the truth of the sequence and the names of its images too."""
        return {**self.made_by, "sequence": sequence.digest}


def notes_path(out: Path, tracker: str, sequence: str) -> Path:
    """The file of a run that keeps the times of a result, and what made it."""
    return out / "times" / tracker / f"{sequence}.json"


def tracker_name(engines: Path) -> str:
    """The name of the results of *engines*: MODEL[-VARIANT]-BACKEND-PRECISION, and how many layers are no INT8.

    It is what the engines say of themselves, wherever their folder lies.

    Raises:
        ArtifactError: the engines are unfinished, or not what their manifest says.
    """
    settings, card = Manifest.load(engines, stage="engines").settings, ModelCard.load(engines)
    model = "-".join(
        [card.name, *([card.variant] if card.variant else []), *(["inputs"] if card.kernel_inputs else [])]
    )
    label, floats = GraphPrecisions.parse(settings["precision"]).label, len(settings.get("keep") or ())
    return f"{model}-{settings['backend']}-{label}" + (f"-keep{floats}" if floats else "")


def declare_plan(parser: argparse.ArgumentParser) -> None:
    """Declare what a command takes that runs a tracker through sequences and keeps the results."""
    declare(parser, "engines", "sequences", "only", "threads", "allow_leak", required=["sequences"])
    parser.add_argument("--opencv", help=f"one of OpenCV's trackers instead: {', '.join(TRACKERS)}")
    declare_files(parser)
    parser.add_argument("--tracker", help="name of the results; made from the engines by default")


def chosen_opencv(options: argparse.Namespace) -> Opencv | None:
    """The tracker of OpenCV that was asked for."""
    named = bool(options.opencv or options.opencv_backbone or options.opencv_head)
    return Opencv(options.opencv or NANO, options.opencv_backbone, options.opencv_head) if named else None
