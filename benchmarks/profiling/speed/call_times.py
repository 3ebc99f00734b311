"""Raw times of the tracker's calls, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Sequence, Tuple

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

    def __post_init__(self) -> None:
        """Raise ValueError where the columns differ in length."""
        began = () if self.began_ns is None else (self.began_ns,)
        columns = (self.frame, self.started, *self.stages_ns.values(), *began)
        if any(len(column) != len(self) for column in columns):
            raise ValueError("the columns of the samples differ in length")

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
