"""The tracker: what is known of the target, and how one frame changes it.

Source: Li et al., CVPR 2019; PySOT's ``SiamRPNTracker`` and ``SiamRPNLTTracker``. Two quirks of the latter are not
kept: the state is clipped to the frame like the short-term tracker's, and a new target never starts out as lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runtime.decode import Candidate
from runtime.frames import Frame, as_frame, fill_color
from runtime.locator import ExitTaken, Located, Locator
from runtime.matcher import Color, StageTimes
from runtime.open_engines import open_locators
from runtime.together import Asked
from siamtrt import BoundingBox, UsageError
from siamtrt.card import LostRule, SearchCard, TrackerConstants
from siamtrt.geometry import Place, crop_scale, search_square, template_square

_MOST_OF_FRAME = 2  # sides of a target over those of its frame; what crops take grows with the square


@dataclass(frozen=True)
class TrackerState:
    """What is known after a frame; all that passes to the next one.

    Attributes:
        box: of the target.
        place: the target's centre and size as the tracker goes on from them.
        score: foreground probability of the box, 0..1; None in the frame the target was given in.
        lost: a long-term tracker has lost the target; ``box`` is where it was last. None for a short-term one, which
            cannot tell.
        times: of the stages of this frame.
        frame_shape: of every frame of this target, in BGR: height, width, 3.
        fill: what this target's crops hold outside the frame: the mean colour of the frame it was given in.
        exit: where a model with exits stopped; None for one without, and in the frame the target was given in.
    """

    box: BoundingBox
    place: Place
    score: float | None
    lost: bool | None
    times: StageTimes
    frame_shape: tuple[int, ...]
    fill: Color
    exit: ExitTaken | None = None


class Tracker:
    """Follows one target at a time.

    Args:
        locator: owned by the tracker from now on.

    Attributes:
        locator: the same.
    """

    def __init__(self, locator: Locator) -> None:
        self.locator = locator
        self._state: TrackerState | None = None

    @classmethod
    def open(
        cls,
        engines: Path,
        *,
        threads: int | None = None,
        decode: str | None = None,
        wait: str | None = None,
        policy: str | None = None,
    ) -> Tracker:
        """Open the engines of a folder.

        Args:
            engines: written by ``python -m engines``.
            threads: of the CPU backend; all cores when None.
            decode: where the box is chosen, see :class:`runtime.open_engines.Opening`.
            wait: how to wait for the GPU, see the same class.
            policy: where a model with exits stops, see the same class.

        Raises:
            ArtifactError: the folder is unfinished, or a file is not what its manifest says.
            MissingDependencyError: its backend is not installed.
            UsageError: its backend has no such decode or way to wait, or the model no such policy.
        """
        (locator,) = open_locators(Path(engines), threads=threads, decode=decode, wait=wait, policy=policy)
        return cls(locator)

    def start(self, frame: Frame, box: BoundingBox) -> TrackerState:
        """Take *box* in *frame* as the target.

        Args:
            frame: HxWx3 uint8, BGR; grey and BGRA are converted; or NV12.
            box: of the target; must overlap the frame, and may be a little larger.

        Raises:
            UsageError: the frame is no image, or the box is no box, empty, not finite, outside the frame, or more than
                twice its size.
            InferenceError: the backend failed.
        """
        frame = as_frame(frame)
        _require_inside(box, frame)
        place, fill = Place.given(box), fill_color(frame)
        lost = False if self.locator.card.lost_search else None
        times = self.locator.remember(frame, template_square(place, self.locator.card), fill)
        self._state = TrackerState(box, place, None, lost, times, frame.shape, fill)
        return self._state

    def update(self, frame: Frame) -> TrackerState:
        """Find the target in the next *frame*.

        Raises:
            UsageError: nothing was started, or the frame is no image or has another size than the first.
            InferenceError: the backend failed, or the network put out scores that are no numbers.
        """
        frame = as_frame(frame)
        asked = self.asked(frame)
        return self.moved_by(self.locator.locate(frame, asked.square, asked.fill, asked.last_size))

    def asked(self, frame: Frame) -> Asked:
        """What the locator is to be asked about the next *frame*; :meth:`moved_by` takes its answer.

        Raises:
            UsageError: see :meth:`update`.
        """
        state, card = self._state, self.locator.card
        if state is None:
            raise _no_target()
        if frame.shape != state.frame_shape:
            raise UsageError(
                f"the frame size changed from {_size_text(state.frame_shape)} to {_size_text(frame.shape)}",
                hint="call start with a box in the new size",
            )
        place, scale = state.place, crop_scale(state.place, card)
        square = search_square(place, card, self._search(state))
        return Asked(square, state.fill, (place.width * scale, place.height * scale))

    def moved_by(self, located: Located) -> TrackerState:
        """Go on from what the locator answered to :meth:`asked`.

        Raises:
            UsageError: nothing was started.
        """
        state, card = self._state, self.locator.card
        if state is None:
            raise _no_target()
        place, scale = state.place, crop_scale(state.place, card)
        candidate, rule = located.candidate, card.lost_search.lost if card.lost_search else None
        if rule is None or candidate.score >= rule.below:
            place = moved(place, candidate, scale, card.tracker).within(state.frame_shape, card.tracker.min_side_px)
        lost = _is_lost(rule, candidate.score, was_lost=bool(state.lost)) if rule else None
        self._state = TrackerState(
            place.box, place, candidate.score, lost, located.times, state.frame_shape, state.fill, located.exit
        )
        return self._state

    def go_on_from(self, state: TrackerState) -> None:
        """Take *state*, which this tracker returned for the same target, as the last one."""
        self._state = state

    def _search(self, state: TrackerState) -> SearchCard:
        lost = self.locator.card.lost_search
        return lost if lost and state.lost else self.locator.card.search

    def close(self) -> None:
        """Free the backend's resources."""
        self.locator.close()

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _no_target() -> UsageError:
    return UsageError("there is no target yet", hint="call start(frame, box) first")


def moved(place: Place, candidate: Candidate, scale: float, constants: TrackerConstants) -> Place:
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


def _require_inside(box: BoundingBox, frame: Frame) -> None:
    if not isinstance(box, BoundingBox):
        raise UsageError(f"the target is a BoundingBox, not {box!r:.60}", hint="BoundingBox(x, y, width, height)")
    box.require_valid()
    height, width = frame.shape[:2]
    if box.width > _MOST_OF_FRAME * width or box.height > _MOST_OF_FRAME * height:
        raise UsageError(
            f"the box {box} is far larger than the frame of {_size_text(frame.shape)}",
            hint="give X,Y,W,H in pixels of the frame",
        )
    if box.x >= width or box.y >= height or box.x + box.width <= 0 or box.y + box.height <= 0:
        raise UsageError(
            f"the box {box} lies outside the frame of {_size_text(frame.shape)}",
            hint="give X,Y,W,H in pixels of the frame",
        )


def _size_text(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
