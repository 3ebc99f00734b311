"""The seam between the tracker, which knows geometry, and a backend, which owns where pixels and features live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Protocol, Tuple

from siamtrt import Array, ModelCard
from siamtrt.geometry import Square

Color = Tuple[int, int, int]


@dataclass(frozen=True)
class StageTimes:
    """Monotonic nanoseconds of each stage of one call; None for a stage that did not run or cannot be told apart.

    ``network_ns`` is target in ``remember`` and search plus xcorr in ``match``; ``search_ns`` and ``xcorr_ns`` are its
    parts where a backend can tell them apart.
    """

    crop_ns: Optional[int] = None
    network_ns: Optional[int] = None
    search_ns: Optional[int] = None
    xcorr_ns: Optional[int] = None
    refit_ns: Optional[int] = None
    decode_ns: Optional[int] = None


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


class Matcher(Protocol):
    """A model on one backend, for one target at a time."""

    @property
    def card(self) -> ModelCard:
        """The model it runs."""

    def remember(self, frame: Array, square: Square, fill: Color) -> StageTimes:
        """Crop the template from *frame*, run the target graph, and refit the xcorr graph with its kernels.

        Args:
            frame: HxWx3 uint8, BGR; read only, not kept.
            square: the template region.
            fill: BGR value of the pixels outside the frame, 0..255.

        Raises:
            InferenceError: the backend failed.
        """

    def match(self, frame: Array, square: Square, fill: Color) -> Response:
        """Crop the search region from *frame*, and run search and xcorr.

        Raises:
            InferenceError: the backend failed, or no target was remembered.
        """

    def close(self) -> None:
        """Free the backend's resources; the matcher cannot be used afterwards."""
