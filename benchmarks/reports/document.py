"""``report.json``: everything that was measured of one engine folder, raw, and what it was measured with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from benchmarks.evaluation.vot.measures import Measures
from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.profiling.graph_work import GraphWork
from benchmarks.profiling.layers.layer_report import FORMAT as LAYERS
from benchmarks.profiling.layers.layer_report import LayerReport
from benchmarks.profiling.speed.speed_report import FORMAT as SPEED
from benchmarks.profiling.speed.speed_report import SpeedReport
from siamtrt.documents import Format

FORMAT = Format("a whole report", schema=1, hint="write it anew with python -m benchmarks bench", kind="bench")


@dataclass(frozen=True)
class Run:
    """One sequence as it was run.

    Attributes:
        frames: of the sequence.
        width_px: of its frames.
        height_px: of its frames.
        truth_sha256: of its regions.
        leaked: it calibrated the engines that are judged on it.
        entries: the raw result, a line a frame as VOT writes it.
        rendered: it is a clip of ``python -m benchmarks clip``, no film.
    """

    frames: int
    width_px: int
    height_px: int
    truth_sha256: str
    leaked: bool
    entries: Tuple[str, ...]
    rendered: bool = False


@dataclass(frozen=True)
class Failure:
    """A frame in which the target was lost.

    Attributes:
        sequence: its name.
        frame: index from 0.
        truth: x, y of the 4 corners, in pixels.
        prediction: x, y, width, height in pixels; None where the tracker reported that the target was gone.
        jpeg_base64: a small picture of both.
    """

    sequence: str
    frame: int
    truth: Tuple[Tuple[float, float], ...]
    prediction: Optional[Tuple[float, ...]]
    jpeg_base64: str


@dataclass(frozen=True)
class Report:
    """What ``report.json`` holds beside schema and kind.

    Attributes:
        title: model, backend, precision and work.
        command: that makes the report again.
        finished_utc: date and time, for people.
        environment: of the machine.
        manifests: stage -> its manifest, from the engines back as far as the folders were there.
        protocol: its numbers.
        annotations_sha256: of the truth that the measures were made with.
        sequences: name -> its run.
        measures: accuracy, robustness, expected average overlap.
        speed: times and power, with every sample.
        layers: latency of each layer; None where ``missing`` says why.
        failures: in the order of the sequences.
        missing: part -> why it is not there.
        work: graph -> its parameters and multiply-accumulates; empty in a report from before they were counted.
    """

    title: str
    command: str
    finished_utc: str
    environment: Dict[str, Any]
    manifests: Dict[str, Any]
    protocol: Protocol
    annotations_sha256: str
    sequences: Dict[str, Run]
    measures: Measures
    speed: SpeedReport
    layers: Optional[LayerReport]
    failures: Tuple[Failure, ...]
    missing: Dict[str, str]
    work: Dict[str, GraphWork] = field(default_factory=dict)

    @property
    def leaked(self) -> list[str]:
        """Sequences that calibrated or pruned the engines they are judged on here."""
        return [name for name, run in self.sequences.items() if run.leaked]

    @classmethod
    def load(cls, path: Path) -> Report:
        """Read a report; ArtifactError where it is absent, of another schema, or a part is missing or damaged."""
        fields = FORMAT.load(path)
        for part, form in (("speed", SPEED), ("layers", LAYERS)):
            if isinstance(fields.get(part), dict):
                fields[part] = form.fields(fields[part], path)
        return FORMAT.build(cls, fields, path)
