"""The report of a speed run: what is in it, and its file.

One JSON object: ``schema``, ``kind`` (``"speed"``) and the fields of :class:`SpeedReport`, nested as the classes here.
Every class says its units; every figure follows from the raw samples beside it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from benchmarks.profiling.power.report import PowerReport
from benchmarks.profiling.speed.call_times import Samples
from benchmarks.profiling.speed.conditions import Conditions
from benchmarks.profiling.speed.figures import Distribution, Figures
from siamtrt import ArtifactError
from siamtrt.files import read_json, write_text

SCHEMA, KIND = 1, "speed"
WINDOW = (
    "the tracker's call alone: crop, target or search, refit, xcorr, decoding of the response; "
    "images are read and decoded outside"
)


@dataclass(frozen=True)
class Video:
    """One sequence.

    Attributes:
        name: of the sequence.
        fps: timed calls / their time, starts included, warm-up and skipped frames not.
        failures: how often the target was lost and the tracker started again.
        skipped: frames between a failure and the next start; no call was made, and they are counted nowhere.
        warm_up: calls before the timed ones, kept apart; no figure counts them.
        samples: the timed calls.
    """

    name: str
    fps: float
    failures: int
    skipped: int
    warm_up: Samples
    samples: Samples


@dataclass(frozen=True)
class SpeedReport:
    """Of one tracker over some sequences.

    Attributes:
        title: model, backend and precision, or the name of a VOT run's tracker.
        command: that made the report.
        window: what the times span.
        figures: made from the samples of all videos.
        videos: raw samples of each.
        power: over the same frames.
        conditions: clocks and temperatures while it ran; None where the times are of an earlier run.
        environment: of the machine, see :func:`siamtrt.environment.describe`; None likewise.
        engines_manifest: of the engines that ran; None likewise.
    """

    title: str
    command: str
    window: str
    figures: Figures
    videos: Tuple[Video, ...]
    power: PowerReport
    conditions: Optional[Conditions]
    environment: Optional[Dict[str, Any]]
    engines_manifest: Optional[Dict[str, Any]]

    def save(self, path: Path) -> None:
        """Write the report as JSON, whole or not at all.

        Raises:
            ArtifactError: it cannot be written.
        """
        write_text(path, json.dumps({"schema": SCHEMA, "kind": KIND, **asdict(self)}, allow_nan=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> SpeedReport:
        """Read a report.

        Raises:
            ArtifactError: it is absent, of a newer schema, or something else.
        """
        return cls.of(read_json(path), path)

    @classmethod
    def of(cls, document: Dict[str, Any], path: Path) -> SpeedReport:
        """Read a report that stands in *document*, which came from *path*.

        Raises:
            ArtifactError: see :meth:`load`.
        """
        fields = dict(document)
        schema, kind = fields.pop("schema", None), fields.pop("kind", None)
        if kind != KIND or schema != SCHEMA:
            raise ArtifactError(
                f"{path} is a {kind!r} report of schema {schema}, expected {KIND!r} of schema {SCHEMA}",
                hint="update this checkout, or write the report anew with python -m benchmarks speed",
            )
        try:
            return _report(fields)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(f"{path} is not a speed report: {error!r}") from error


def _report(fields: Dict[str, Any]) -> SpeedReport:
    conditions = fields["conditions"]
    return SpeedReport(
        **{
            **fields,
            "figures": _figures(fields["figures"]),
            "videos": tuple(_video(video) for video in fields["videos"]),
            "power": PowerReport.of(fields["power"]),
            "conditions": None if conditions is None else Conditions.of(conditions),
        }
    )


def _video(fields: Dict[str, Any]) -> Video:
    return Video(**{**fields, "warm_up": Samples.of(fields["warm_up"]), "samples": Samples.of(fields["samples"])})


def _figures(fields: Dict[str, Any]) -> Figures:
    stages = {stage: Distribution(**entry) for stage, entry in fields["stages_ms"].items()}
    update, start = (entry and Distribution(**entry) for entry in (fields["update_ms"], fields["start_ms"]))
    return Figures(
        **{
            **fields,
            "frame_ms": Distribution(**fields["frame_ms"]),
            "update_ms": update,
            "start_ms": start,
            "stages_ms": stages,
            "warnings": tuple(fields["warnings"]),
        }
    )
