"""``report.json``: everything that was measured of one engine folder, raw, and what it was measured with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from benchmarks.evaluation.vot.measures import Measures, SequenceMeasures
from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.profiling.layers.report import LayerReport
from benchmarks.profiling.speed.report import SpeedReport
from siamtrt import ArtifactError
from siamtrt.files import read_json

SCHEMA, KIND = 1, "bench"


@dataclass(frozen=True)
class Run:
    """One sequence as it was run.

    Attributes:
        frames: of the sequence.
        width_px: of its frames.
        height_px: likewise.
        truth_sha256: of its regions.
        leaked: it calibrated the engines that are judged on it.
        entries: the raw result, a line a frame as VOT writes it.
    """

    frames: int
    width_px: int
    height_px: int
    truth_sha256: str
    leaked: bool
    entries: Tuple[str, ...]


@dataclass(frozen=True)
class Failure:
    """A frame in which the target was lost.

    Attributes:
        sequence: its name.
        frame: index from 0.
        truth: x, y of the 4 corners, in pixels.
        prediction: x, y, width, height in pixels; None where the tracker said that the target was gone.
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
        title: model, backend and precision.
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

    @property
    def leaked(self) -> List[str]:
        """Sequences that calibrated the engines they are judged on here."""
        return [name for name, run in self.sequences.items() if run.leaked]

    @classmethod
    def load(cls, path: Path) -> Report:
        """Read a report.

        Raises:
            ArtifactError: it is absent, of another kind or a newer schema, or a part is missing or damaged.
        """
        document = read_json(path)
        schema, kind = document.pop("schema", None), document.pop("kind", None)
        if kind != KIND or schema != SCHEMA:
            raise ArtifactError(
                f"{path} is a {kind!r} report of schema {schema}, expected {KIND!r} of schema {SCHEMA}",
                hint="update this checkout, or write the report anew with python -m benchmarks bench",
            )
        try:
            return _report(document, path)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(
                f"{path} is not a whole report: {error!r}", hint="write it anew with python -m benchmarks bench"
            ) from error


def _report(fields: Dict[str, Any], path: Path) -> Report:
    layers = fields["layers"]
    protocol = fields["protocol"]
    return Report(
        **{
            **fields,
            "protocol": Protocol(**{**protocol, "tags": tuple(protocol["tags"])}),
            "sequences": {name: _run(entry) for name, entry in fields["sequences"].items()},
            "measures": _measures(fields["measures"]),
            "speed": SpeedReport.of(fields["speed"], path),
            "layers": None if layers is None else LayerReport.of(layers, path),
            "failures": tuple(_failure(entry) for entry in fields["failures"]),
        }
    )


def _run(fields: Dict[str, Any]) -> Run:
    return Run(**{**fields, "entries": tuple(fields["entries"])})


def _measures(fields: Dict[str, Any]) -> Measures:
    sequences = {name: SequenceMeasures(**entry) for name, entry in fields["sequences"].items()}
    interval = fields["eao_interval_95"]
    return Measures(
        **{**fields, "sequences": sequences, "eao_interval_95": None if interval is None else tuple(interval)}
    )


def _failure(fields: Dict[str, Any]) -> Failure:
    truth = tuple((float(x), float(y)) for x, y in fields["truth"])
    box = fields["prediction"]
    return Failure(**{**fields, "truth": truth, "prediction": None if box is None else tuple(map(float, box))})
