"""What a backend does that puts out maps, and leaves the choice of the box to :class:`runtime.locator.HostLocator`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Protocol, Tuple

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
class StageResponse:
    """What one stage of a search with exits puts out.

    Attributes:
        cls: (2A, R, R) float32, of this exit.
        loc: (4A, R, R) float32.
        scores: what the exit says of itself, by the names on the model card.
        times: of the graphs of this stage.

    The arrays belong to the matcher and stay valid until it begins the next frame.
    """

    cls: Array
    loc: Array
    scores: Mapping[str, float]
    times: StageTimes


class Matcher(Protocol):
    """A model on one backend, for one target at a time; like a :class:`runtime.locator.Locator`, but for ``match``."""

    @property
    def card(self) -> ModelCard:
        """The model it runs."""

    def remember(self, frame: Array, square: Square, fill: Color) -> StageTimes:
        """Take the target in *square* of *frame*."""

    def match(self, frame: Array, square: Square, fill: Color) -> Response:
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

    def remember(self, frame: Array, square: Square, fill: Color) -> StageTimes:
        """Take the target in *square* of *frame*."""

    def begin(self, frame: Array, square: Square, fill: Color) -> StageTimes:
        """Crop the search region from *frame*; no graph runs yet.

        Raises:
            InferenceError: no target was remembered.
        """

    def step(self, number: int) -> StageResponse:
        """Run stage *number* on the frame that was begun, all stages before it having run.

        Raises:
            InferenceError: the backend failed.
        """

    def close(self) -> None:
        """Free the backend's resources."""
