"""The tracker: what is known of the target, and how one frame changes it.

Source: Li et al., CVPR 2019; PySOT's ``SiamRPNTracker`` and ``SiamRPNLTTracker``. Two quirks of the latter are not
kept: the state is clipped to the frame like the short-term tracker's, and a new target never starts out as lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Optional, Tuple, Type, Union

from runtime.decode import Candidate
from runtime.frames import as_bgr, fill_color
from runtime.locator import Locator, as_locator
from runtime.matcher import Color, Matcher, StageTimes
from siamtrt import Array, BoundingBox, UsageError
from siamtrt.card import LostRule, TrackerConstants
from siamtrt.geometry import Place, crop_scale, search_square, template_square


@dataclass(frozen=True)
class TrackerState:
    """What is known after a frame; all that passes to the next one.

    Attributes:
        box: of the target.
        place: the target's centre and size as the tracker goes on from them.
        score: foreground probability of the box, 0..1; None in the frame the target was given in.
        lost: a long-term tracker has lost the target; ``box`` is where it was last. Always False for a short-term one.
        times: of the stages of this frame.
    """

    box: BoundingBox
    place: Place
    score: Optional[float]
    lost: bool
    times: StageTimes


@dataclass(frozen=True)
class _Given:
    """What stays as the user gave it: the state to go on from is that of :meth:`Tracker.start`."""

    frame_shape: Tuple[int, ...]
    fill: Color


class Tracker:
    """Follows one target at a time.

    Args:
        backend: owned by the tracker from now on.
    """

    def __init__(self, backend: Union[Matcher, Locator]) -> None:
        self._card, self._locator = backend.card, as_locator(backend)
        self._given: Optional[_Given] = None
        self._state: Optional[TrackerState] = None

    @classmethod
    def open(cls, engines: Path, *, threads: Optional[int] = None, decode: Optional[str] = None) -> Tracker:
        """Open the engines of a folder.

        Args:
            engines: written by ``python -m engines``.
            threads: of the CPU backend; all cores when None.
            decode: where the box is chosen, see :func:`runtime.open_engines.open_matchers`.

        Raises:
            ArtifactError: the folder is unfinished, or a file is not what its manifest says.
            MissingDependencyError: its backend is not installed.
            UsageError: its backend has no such decode.
        """
        from runtime.open_engines import open_matcher

        return cls(open_matcher(Path(engines), threads=threads, decode=decode))

    def start(self, frame: Array, box: BoundingBox) -> TrackerState:
        """Take *box* in *frame* as the target.

        Args:
            frame: HxWx3 uint8, BGR; grey and BGRA are converted.
            box: of the target; must overlap the frame.

        Raises:
            UsageError: the frame is no image, or the box is empty, not finite, or outside the frame.
            InferenceError: the backend failed.
        """
        frame = as_bgr(frame)
        _require_inside(box, frame)
        self._given = _Given(frame.shape, fill_color(frame))
        place = Place.given(box)
        times = self._locator.remember(frame, template_square(place, self._card), self._given.fill)
        self._state = TrackerState(box, place, None, lost=False, times=times)
        return self._state

    def update(self, frame: Array) -> TrackerState:
        """Find the target in the next *frame*.

        Raises:
            UsageError: nothing was started, or the frame is no image or has another size than the first.
            InferenceError: the backend failed, or the network put out scores that are no numbers.
        """
        if self._given is None or self._state is None:
            raise UsageError("there is no target yet", hint="call start(frame, box) first")
        frame = as_bgr(frame)
        if frame.shape != self._given.frame_shape:
            raise UsageError(
                f"the frame size changed from {_size_text(self._given.frame_shape)} to {_size_text(frame.shape)}",
                hint="call start with a box in the new size",
            )
        place, lost_search = self._state.place, self._card.lost_search
        search = lost_search if lost_search and self._state.lost else self._card.search
        scale = crop_scale(place, self._card)
        last_size = (place.width * scale, place.height * scale)
        square = search_square(place, self._card, search)
        located = self._locator.locate(frame, square, self._given.fill, last_size)
        candidate, rule = located.candidate, lost_search.lost if lost_search else None
        if rule is None or candidate.score >= rule.below:
            place = _moved(place, candidate, scale, self._card.tracker).within(
                frame.shape, self._card.tracker.min_side_px
            )
        lost = rule is not None and _is_lost(rule, candidate.score, was_lost=self._state.lost)
        self._state = TrackerState(place.box, place, candidate.score, lost, located.times)
        return self._state

    def go_on_from(self, state: TrackerState) -> None:
        """Take *state*, which this tracker returned for the same target, as the last one."""
        self._state = state

    def close(self) -> None:
        """Free the backend's resources."""
        self._locator.close()

    def __enter__(self) -> Tracker:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()


def _moved(place: Place, candidate: Candidate, scale: float, constants: TrackerConstants) -> Place:
    """Take over the position; approach the size at a rate that grows with the confidence."""
    rate = (candidate.penalty * candidate.score * constants.lr) ** constants.size_rate_power
    return Place(
        place.center_x + candidate.x / scale,
        place.center_y + candidate.y / scale,
        place.width * (1 - rate) + candidate.width / scale * rate,
        place.height * (1 - rate) + candidate.height / scale * rate,
    )


def _is_lost(rule: LostRule, score: float, *, was_lost: bool) -> bool:
    return score < rule.below or (was_lost and score <= rule.found_above)


def _require_inside(box: BoundingBox, frame: Array) -> None:
    box.require_valid()
    height, width = frame.shape[:2]
    if box.x >= width or box.y >= height or box.x + box.width <= 0 or box.y + box.height <= 0:
        raise UsageError(
            f"the box {box} lies outside the frame of {_size_text(frame.shape)}",
            hint="give X,Y,W,H in pixels of the frame",
        )


def _size_text(shape: Tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
