"""Raw times of the tracker's calls, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

from runtime.matcher import STAGES, StageTimes


@dataclass(frozen=True)
class Call:
    """One call of the tracker.

    Attributes:
        started: the tracker was given a target; else it looked for the one it has.
        began_ns: monotonic.
        total_ns: how long it took.
        times: of its stages.
    """

    started: bool
    began_ns: int
    total_ns: int
    times: StageTimes


@dataclass(frozen=True)
class Samples:
    """Columns of equal length, an entry a call of the tracker.

    Attributes:
        frame: index of the frame in its video, from 0.
        started: true where the tracker was given a target (crop, target, refit), false for an update (crop, search,
            xcorr, decode).
        total_ns: the whole call.
        stages_ns: stage -> column, None where the stage did not run in that call; a stage no call had is absent. The
            stages are disjoint, so they add up to at most ``total_ns``: ``crop target search xcorr refit decode``, and
            ``network`` for search and xcorr together on a backend that cannot tell them apart. A TensorRT matcher
            crops on the device, within ``target`` and ``network``.
        began_ns: when the call began, from the origin of the run; None where that was not kept.
    """

    frame: Tuple[int, ...]
    started: Tuple[bool, ...]
    total_ns: Tuple[int, ...]
    stages_ns: Dict[str, Tuple[Optional[int], ...]]
    began_ns: Optional[Tuple[int, ...]]

    def __len__(self) -> int:
        return len(self.total_ns)

    @classmethod
    def of_calls(cls, frames: Sequence[int], calls: Sequence[Call], origin_ns: int) -> Samples:
        """Columns of *calls*, made in *frames*, with times from *origin_ns*."""
        columns = {stage: tuple(call.times.get(stage) for call in calls) for stage in STAGES}
        return cls(
            frame=tuple(frames),
            started=tuple(call.started for call in calls),
            total_ns=tuple(call.total_ns for call in calls),
            stages_ns={stage: column for stage, column in columns.items() if any(ns is not None for ns in column)},
            began_ns=tuple(call.began_ns - origin_ns for call in calls),
        )

    @classmethod
    def of(cls, document: Dict[str, Any]) -> Samples:
        """Read the JSON that ``dataclasses.asdict`` of samples becomes.

        Raises:
            KeyError, TypeError, ValueError: it is something else, or the columns differ in length.
        """
        began = document["began_ns"]
        made = cls(
            frame=tuple(document["frame"]),
            started=tuple(document["started"]),
            total_ns=tuple(document["total_ns"]),
            stages_ns={stage: tuple(column) for stage, column in document["stages_ns"].items()},
            began_ns=None if began is None else tuple(began),
        )
        columns: List[Sequence[object]] = [made.frame, made.started, *made.stages_ns.values()]
        if any(len(column) != len(made) for column in (*columns, *([] if began is None else [began]))):
            raise ValueError("the columns of the samples differ in length")
        return made
