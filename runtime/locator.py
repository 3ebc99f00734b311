"""Where the box of a response is chosen: on the host for any matcher, or by a backend that does it itself."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Protocol, Tuple, Union, runtime_checkable

from runtime.decode import Candidate, decoders
from runtime.matcher import Color, Matcher, StageTimes
from siamtrt import Array, ModelCard
from siamtrt.geometry import Square


@dataclass(frozen=True)
class Located:
    """The chosen box of one frame, and the times of the stages behind it."""

    candidate: Candidate
    times: StageTimes


@runtime_checkable
class Locator(Protocol):
    """A model on one backend that answers with the best box instead of maps; else like a :class:`Matcher`."""

    @property
    def card(self) -> ModelCard:
        """The model it runs."""

    def remember(self, frame: Array, square: Square, fill: Color) -> StageTimes:
        """See :class:`runtime.matcher.Matcher`."""

    def locate(self, frame: Array, square: Square, fill: Color, last_size: Tuple[float, float]) -> Located:
        """Crop the search region from *frame*, run search and xcorr, and choose the box.

        Args:
            frame: HxWx3 uint8, BGR; read only, not kept.
            square: the search region.
            fill: BGR value of the pixels outside the frame, 0..255.
            last_size: the target's last width and height, in crop pixels.

        Raises:
            InferenceError: the backend failed, no target was remembered, or the scores are no numbers.
        """

    def close(self) -> None:
        """Free the backend's resources."""


class HostLocator:
    """Decodes the maps of a matcher with numpy.

    Args:
        matcher: owned from now on.
    """

    def __init__(self, matcher: Matcher) -> None:
        self._matcher, self._decoders = matcher, decoders(matcher.card)

    @property
    def card(self) -> ModelCard:
        """See :class:`Locator`."""
        return self._matcher.card

    def remember(self, frame: Array, square: Square, fill: Color) -> StageTimes:
        """See :class:`Locator`."""
        return self._matcher.remember(frame, square, fill)

    def locate(self, frame: Array, square: Square, fill: Color, last_size: Tuple[float, float]) -> Located:
        """See :class:`Locator`."""
        response = self._matcher.match(frame, square, fill)
        started_ns = time.perf_counter_ns()
        candidate = self._decoders[square.out_px].best(response.cls, response.loc, *last_size)
        return Located(candidate, replace(response.times, decode_ns=time.perf_counter_ns() - started_ns))

    def close(self) -> None:
        """See :class:`Locator`."""
        self._matcher.close()


def as_locator(backend: Union[Matcher, Locator]) -> Locator:
    """*backend* itself where it chooses the box, else its maps decoded on the host."""
    return backend if isinstance(backend, Locator) else HostLocator(backend)
