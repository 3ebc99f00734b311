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
from runtime.matcher import Color, Matcher, Square, StageTimes
from siamtrt import Array, BoundingBox, UsageError
from siamtrt.geometry import context_side, search_side, template_side


@dataclass(frozen=True)
class TrackerState:
    """What is known after a frame.

    Attributes:
        box: of the target.
        score: foreground probability of that box, 0..1; None in the frame the target was given in.
        lost: a long-term tracker has lost the target; ``box`` is where it was last.
        times: of the stages of this frame.
    """

    box: BoundingBox
    score: Optional[float]
    lost: bool
    times: StageTimes


class Tracker:
    """Follows one target at a time.

    Args:
        backend: owned by the tracker from now on.
    """

    def __init__(self, backend: Union[Matcher, Locator]) -> None:
        card = backend.card
        self._locator, self._constants, self._lost_search = as_locator(backend), card.tracker, card.lost
        self._template_px, self._search_px = card.template_px, card.search_px
        self._center: Optional[Tuple[float, float]] = None
        self._size = (0.0, 0.0)
        self._fill: Color = (0, 0, 0)
        self._frame_shape: Tuple[int, ...] = ()
        self._lost = False

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
        self._frame_shape = frame.shape
        self._center = (box.x + (box.width - 1) / 2, box.y + (box.height - 1) / 2)
        self._size = (box.width, box.height)
        self._fill = fill_color(frame)
        self._lost = False
        side_px = template_side(*self._size, self._constants.context)
        times = self._locator.remember(frame, Square(*self._center, side_px, self._template_px), self._fill)
        return TrackerState(box, None, lost=False, times=times)

    def update(self, frame: Array) -> TrackerState:
        """Find the target in the next *frame*.

        Raises:
            UsageError: nothing was started, or the frame is no image or has another size than the first.
            InferenceError: the backend failed, or the network put out scores that are no numbers.
        """
        if self._center is None:
            raise UsageError("there is no target yet", hint="call start(frame, box) first")
        frame = as_bgr(frame)
        if frame.shape != self._frame_shape:
            raise UsageError(
                f"the frame size changed from {_size_text(self._frame_shape)} to {_size_text(frame.shape)}",
                hint="call start with a box in the new size",
            )
        search_px = self._lost_search.search_px if self._lost_search and self._lost else self._search_px
        side_px = search_side(*self._size, self._constants.context, search_px / self._template_px)
        scale = self._template_px / context_side(*self._size, self._constants.context)
        last_size = (self._size[0] * scale, self._size[1] * scale)
        square = Square(*self._center, side_px, search_px)
        located = self._locator.locate(frame, square, self._fill, last_size)
        found = located.candidate
        if self._lost_search is None or found.score >= self._lost_search.confidence_low:
            self._move(found, scale)
        self._lost = self._is_lost(found.score)
        box = BoundingBox.from_center(*self._center, *self._size)
        return TrackerState(box, found.score, self._lost, located.times)

    def close(self) -> None:
        """Free the backend's resources."""
        self._locator.close()

    def __enter__(self) -> Tracker:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def _move(self, found: Candidate, scale: float) -> None:
        """Take over the position; approach the size at a rate that grows with the confidence; stay in the frame."""
        frame_height, frame_width = self._frame_shape[:2]
        rate = found.penalty * found.score * self._constants.lr
        width = self._size[0] * (1 - rate) + found.width / scale * rate
        height = self._size[1] * (1 - rate) + found.height / scale * rate
        center_x, center_y = self._center or (0.0, 0.0)
        self._center = (
            min(max(center_x + found.x / scale, 0.0), float(frame_width)),
            min(max(center_y + found.y / scale, 0.0), float(frame_height)),
        )
        smallest = self._constants.min_side_px
        self._size = (max(smallest, min(width, frame_width)), max(smallest, min(height, frame_height)))

    def _is_lost(self, score: float) -> bool:
        if self._lost_search is None:
            return False
        if score < self._lost_search.confidence_low:
            return True
        return self._lost and score <= self._lost_search.confidence_high


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
