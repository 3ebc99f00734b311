"""What timing a frame costs.

Two answers. The harness's own time: recording, the check for a failure, the progress, measured around a tracker that
takes no time. And what a user would see: the same frames tracked in turn by a bare loop, that reads the clock and does
nothing else, and by the harness, beside a power probe if one is named. Machines are noisy, so medians are compared of
neighbours in time, and the median of many pairs is taken.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.evaluation.vot.run import follow
from benchmarks.profiling.power.probe import NONE, ProbeChoice
from benchmarks.profiling.power.watched import watching
from benchmarks.profiling.speed.record import Preloaded, Recorder, Timed
from runtime.tracker import Tracker, TrackerState
from sequences.sequence import Sequence
from siamtrt import Array, BoundingBox, UsageError
from siamtrt.geometry import Place
from siamtrt.progress import progress_bar

_NO_LIMIT_BYTES = 1 << 62
_NO_PROBE = ProbeChoice(NONE)


@dataclass(frozen=True)
class HarnessCost:
    """What timing costs one tracker on one clip.

    Attributes:
        bare_ms: median over the rounds of an update's median in a bare loop.
        own_ms: median over the rounds of what the harness itself does for a frame, within and between the timed calls.
        own_share: ``own_ms / bare_ms``.
        seen_share: median over the rounds of an update as the harness times it / in a bare loop - 1: by how much its
            figures are off.
        seen_share_quartiles: of ``seen_share``; how far they lie apart shows how noisy the machine was.
        rounds: how many pairs there were.
        updates: in each.
    """

    bare_ms: float
    own_ms: float
    own_share: float
    seen_share: float
    seen_share_quartiles: tuple[float, float]
    rounds: int
    updates: int


def measure(tracker: Tracker, part: Sequence, rounds: int, probe: ProbeChoice = _NO_PROBE) -> HarnessCost:
    """Compare on a short sequence.

    Args:
        tracker: to be timed.
        part: of a clip; all its frames are held in memory.
        rounds: how often.
        probe: read while the harness times, in a round of its own each time.

    Raises:
        UsageError: the tracker loses the target, so that the two ways do other work.
        ProbeError: the probe does not work.
        PipelineError: of the runtime.
    """
    ahead = Preloaded(part.name, part.images, part.regions, block_bytes=_NO_LIMIT_BYTES)
    bare: list[float] = []
    timed: list[float] = []
    own: list[float] = []
    _bare_ms(tracker, ahead)
    for turn in progress_bar(range(rounds), desc="harness-cost", unit="round", leave=False):
        if turn % 2:
            timed.append(_watched_ms(tracker, ahead, probe))
        bare.append(_bare_ms(tracker, ahead))
        if not turn % 2:
            timed.append(_watched_ms(tracker, ahead, probe))
        own.append(_timed_ms(_Instant(ahead), ahead)[1])
    shares = sorted(by_harness / by_loop - 1 for by_harness, by_loop in zip(timed, bare))
    return HarnessCost(
        bare_ms=statistics.median(bare),
        own_ms=statistics.median(own),
        own_share=statistics.median(own) / statistics.median(bare),
        seen_share=statistics.median(shares),
        seen_share_quartiles=(shares[len(shares) // 4], shares[len(shares) * 3 // 4]),
        rounds=rounds,
        updates=len(part) - 1,
    )


class _Instant:
    """A tracker that knows the truth and takes no time."""

    def __init__(self, truth: Preloaded) -> None:
        self._states = [
            TrackerState(box, Place.given(box), 1.0, lost=False, times={}, frame_shape=(), fill=(0, 0, 0))
            for box in map(truth.start_box, range(len(truth)))
        ]
        self._index = 0

    def start(self, frame: Array, box: BoundingBox) -> TrackerState:  # noqa: ARG002
        self._index = 0
        return self._states[0]

    def update(self, frame: Array) -> TrackerState:  # noqa: ARG002
        self._index += 1
        return self._states[self._index]


def _bare_ms(tracker: Tracker, ahead: Preloaded) -> float:
    """Median of an update, with nothing but the clock between them."""
    frames = [ahead.frame(index) for index in range(len(ahead))]
    tracker.start(frames[0], ahead.start_box(0))
    marks_ns = [time.perf_counter_ns()]
    for frame in frames[1:]:
        tracker.update(frame)
        marks_ns.append(time.perf_counter_ns())
    return statistics.median(after - before for before, after in zip(marks_ns, marks_ns[1:])) / 1e6


def _watched_ms(tracker: Timed, ahead: Preloaded, probe: ProbeChoice) -> float:
    """Median of an update as the harness times it, beside the probe."""
    with watching(probe, idle_s=0):
        return _timed_ms(tracker, ahead)[0]


def _timed_ms(tracker: Timed, ahead: Preloaded) -> tuple[float, float]:
    """Median of an update as the harness times it, and of the time from its end to the next one's, the whole loop's."""
    recorder = Recorder(tracker)
    run = follow(recorder, ahead, Protocol.load("vot2018"))
    calls = recorder.take()
    if sum(call.started for call in calls) > 1 or len(calls) != len(run.entries):
        raise UsageError("the tracker loses the target in these frames", hint="fewer --frames, or another --clip")
    updates_ns = [call.total_ns for call in calls if not call.started]
    ends_ns = [call.began_ns + call.total_ns for call in calls]
    loop_ns = [after - before for before, after in zip(ends_ns, ends_ns[1:])]
    return statistics.median(updates_ns) / 1e6, statistics.fmean(loop_ns) / 1e6
