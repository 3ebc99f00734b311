"""The tracker of a page or a robot: frames in the time of the source, and requests between two of them."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

from runtime import loop
from runtime.followed import Followed
from runtime.frames import Frame
from runtime.readahead import ReadAhead
from runtime.sources import Source
from runtime.tracker import TrackerState
from serving.live import requests
from serving.live.newest import Newest
from serving.live.recorder import Recorder
from serving.live.requests import Request
from serving.live.shown import Shown
from siamtrt import PipelineError, UsageError

MOST_TARGETS = 16
_MOST_REQUESTS = 64
_POLL_S = 0.1


class Live:
    """A :class:`runtime.loop.Sink` of its own loop.

    A video or a folder is played at its own rate, and waits at its first frame, while it is paused, and at its end; a
    camera goes on, unseen, and only its newest frame is followed.
    What a tracker or a source refuses is shown on the page, and the page goes on.

    Args:
        reopen: opens the source, at the start and whenever a page asks to play it again.
        followed: stays the caller's.
        recordings: folder of what pages record.
        show: takes what there is to see.
    """

    def __init__(
        self, reopen: Callable[[], Source], followed: Followed, recordings: Path, show: Callable[[Shown], None]
    ) -> None:
        self._reopen, self._followed, self._show = reopen, followed, show
        self._recorder = Recorder(recordings)
        self._requests: queue.Queue[Request] = queue.Queue(_MOST_REQUESTS)
        self._source = reopen()
        self._numbers: list[int] = []
        self._states: list[TrackerState] = []
        self._started = 0
        self._picture: Frame | None = None
        self._frame = -1
        self._paused = self._waits
        self._over = self._again = self._stopped = False
        self._notice: str | None = None

    @property
    def source(self) -> Source:
        """What is played."""
        return self._source

    def ask(self, request: Request) -> None:
        """Have *request* done between two frames; from any thread.

        Raises:
            UsageError: more wait than anybody meant to send.
        """
        try:
            self._requests.put_nowait(request)
        except queue.Full:
            raise UsageError("too many requests wait") from None

    def stop(self) -> None:
        """Let ``run`` return soon; from any thread."""
        self._stopped = True

    def run(self) -> None:
        """Play and follow until it is stopped or interrupted.

        Raises:
            PipelineError: the source cannot be read at the start.
        """
        with contextlib.closing(self._frames()) as frames:
            while self._goes_on(frames):
                pass

    def add(self, frame: Frame | None, states: Sequence[TrackerState]) -> None:
        self._states = list(states)
        if frame is not None:
            self._picture = frame
        self._record(self._numbers, [state if frame is not None else None for state in states])
        self._show_again()

    def close(self) -> None:
        """End a recording."""
        self._recorder.stop()

    def _goes_on(self, frames: Iterator[Frame | None]) -> bool:
        """Follow through *frames*; True where a tracker refused one, False at their end."""
        try:
            loop.run(frames, self._followed, [self])
        except PipelineError as error:
            if self._picture is None:
                raise
            self._refuse(error)
            return True
        return False

    def _frames(self) -> Generator[Frame | None, None, None]:
        while True:
            try:
                frames = self._source.frames()
                with ReadAhead(frames) if self._waits else Newest(frames) as taken:
                    yield from self._in_time(taken)
            except PipelineError as error:
                if self._picture is None:
                    raise
                self._refuse(error)
            self._over = True
            self._show_again()
            while not self._is_open_again():
                if self._stopped:
                    return
                self._do_next(_POLL_S)

    def _is_open_again(self) -> bool:
        """Open the source anew, if that was asked for and it can be."""
        if not self._again:
            return False
        self._again = False
        try:
            self._source = self._reopen()
        except PipelineError as error:
            self._refuse(error)
            return False
        self._frame, self._over, self._paused = -1, False, self._waits
        return True

    @property
    def _waits(self) -> bool:
        """Whether the source gives its next frame whenever it is wanted."""
        return self._source.count is not None

    def _in_time(self, frames: Iterator[Frame | None]) -> Iterator[Frame | None]:
        """Yield *frames* when they are due, after the requests before them."""
        due = time.monotonic()
        for frame in frames:
            while not self._is_cut and (time.monotonic() < due or self._is_held()):
                self._do_next(_POLL_S if self._is_held() else due - time.monotonic())
            while self._do_next(0):
                pass
            if self._is_cut:
                return
            if self._waits:
                period_s = 1 / self._source.fps
                due = max(due, time.monotonic() - period_s) + period_s
            elif self._paused:
                continue
            self._frame += 1
            yield frame

    @property
    def _is_cut(self) -> bool:
        return self._again or self._stopped

    def _is_held(self) -> bool:
        return self._waits and self._paused and self._frame >= 0

    def _do_next(self, timeout_s: float) -> bool:
        """Do the next request if there is one within the time."""
        try:
            request = self._requests.get(timeout=timeout_s) if timeout_s > 0 else self._requests.get_nowait()
        except queue.Empty:
            return False
        self._notice = None
        try:
            self._do(request)
        except PipelineError as error:
            self._notice = error.problem
        self._show_again()
        return True

    def _do(self, request: Request) -> None:
        if request.action == requests.FOLLOW:
            self._follow(request)
        elif request.action == requests.FORGET:
            self._forget(request.target)
        elif request.action == requests.RECORD:
            self._recorder.start()
        elif request.action == requests.STOP:
            self._recorder.stop()
        elif request.action == requests.AGAIN:
            self._forget(None)
            self._again = True
        else:
            self._paused = request.action == requests.PAUSE

    def _follow(self, request: Request) -> None:
        picture, box = self._picture, request.box
        if picture is None or box is None:
            raise UsageError("there is no frame yet")
        inside = box.clipped(picture.shape[1], picture.shape[0])
        if not inside.area:
            raise UsageError("the box lies outside the frame")
        if not request.beside:
            self._forget(None)
        if len(self._numbers) == MOST_TARGETS:
            raise UsageError(f"there are {MOST_TARGETS} targets already")
        state = self._followed.start(picture, inside)
        self._started += 1
        self._numbers.append(self._started)
        self._states.append(state)
        self._record([self._started], [state])

    def _forget(self, target: int | None) -> None:
        if target is None:
            self._followed.clear()
            self._numbers, self._states = [], []
        elif target in self._numbers:
            index = self._numbers.index(target)
            self._followed.remove(index)
            del self._numbers[index], self._states[index]

    def _refuse(self, error: PipelineError) -> None:
        """Show what went wrong, without the targets, which are where nobody knows."""
        self._forget(None)
        self._notice = error.problem
        self._show_again()

    def _record(self, numbers: Sequence[int], states: Sequence[TrackerState | None]) -> None:
        try:
            self._recorder.add(self._frame, zip(numbers, states))
        except PipelineError as error:
            self._notice = error.problem

    def _show_again(self) -> None:
        if self._picture is None:
            return
        recording = {
            "name": self._recorder.last,
            "lines": self._recorder.lines,
            "runs": self._recorder.name is not None,
        }
        status: dict[str, object] = {
            "paused": self._paused,
            "over": self._over,
            "notice": self._notice,
            "recording": recording if self._recorder.last else None,
        }
        self._show(Shown(self._picture, self._frame, tuple(zip(self._numbers, self._states)), status))
