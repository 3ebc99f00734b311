"""What a backend does that puts out maps, and leaves the choice of the box to :class:`runtime.locator.HostLocator`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Protocol, Sequence, Tuple

from runtime.decode import Candidate
from runtime.frames import Frame
from siamtrt import Array, ModelCard
from siamtrt.geometry import Square

Color = Tuple[int, int, int]  # BGR, 0..255

# The stages of a call that a backend may time. They are disjoint: ``network`` is search and xcorr together where a
# backend cannot tell them apart, and a backend that crops on the GPU does so within ``target`` and ``network``.
STAGES = ("crop", "target", "search", "xcorr", "network", "refit", "decode")
StageTimes = Mapping[str, int]  # stage -> monotonic nanoseconds; a stage that did not run is absent


@dataclass(frozen=True)
class Response:
    """The fused maps of one search.

    Attributes:
        cls: (2A, R, R) float32, background channels first.
        loc: (4A, R, R) float32.
        times: of the stages behind them.

    The arrays belong to the matcher and stay valid until its next call.
    """

    cls: Array
    loc: Array
    times: StageTimes


@dataclass(frozen=True)
class StageAnswer:
    """What one stage of a search with exits tells the host.

    Attributes:
        scores: what the exit says of itself, by the names on the model card.
        times: of the graphs of this stage; where several stages ran as one, the last of them has the time of all.
    """

    scores: Mapping[str, float]
    times: StageTimes


class Matcher(Protocol):
    """A model on one backend, for one target at a time; like a :class:`runtime.locator.Locator`, but for ``match``."""

    @property
    def card(self) -> ModelCard:
        """The model it runs."""

    def remember(self, frame: Frame, square: Square, fill: Color) -> StageTimes:
        """Take the target in *square* of *frame*."""

    def match(self, frame: Frame, square: Square, fill: Color) -> Response:
        """Crop the search region from *frame*, and run search and xcorr.

        Raises:
            InferenceError: the backend failed, or no target was remembered.
        """

    def close(self) -> None:
        """Free the backend's resources."""


class StagedMatcher(Protocol):
    """A model with exits on one backend, for one target at a time; like :class:`Matcher`, but a stage at a time."""

    @property
    def card(self) -> ModelCard:
        """The model it runs."""

    def remember(self, frame: Frame, square: Square, fill: Color) -> StageTimes:
        """Take the target in *square* of *frame*."""

    def begin(self, frame: Frame, square: Square, fill: Color, last_size: Tuple[float, float]) -> StageTimes:
        """Take the search region of *frame*; no graph runs yet.

        Args:
            frame: HxWx3 uint8 in BGR, or NV12.
            square: the search region.
            fill: BGR value of the pixels outside the frame, 0..255.
            last_size: the target's last width and height, in crop pixels.

        Raises:
            InferenceError: no target was remembered.
        """

    def advance(self, number: int) -> Sequence[StageAnswer]:
        """Run the stages up to *number* that have not run on this frame, and say what each of these told.

        Raises:
            InferenceError: the backend failed, or no frame was begun.
        """

    def box(self, number: int) -> Candidate:
        """The box of exit *number*, whose stage has run on this frame.

        Raises:
            InferenceError: its scores are no numbers.
        """

    def close(self) -> None:
        """Free the backend's resources."""
