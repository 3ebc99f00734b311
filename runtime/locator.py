"""The seam between the tracker, which knows geometry, and a backend, which owns where pixels and features live."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Mapping, Protocol

from runtime.decode import Candidate, decoders
from runtime.frames import Frame
from runtime.matcher import Color, Matcher, StageTimes
from siamtrt import ModelCard
from siamtrt.geometry import Square


@dataclass(frozen=True)
class ExitTaken:
    """Where a search that may stop early stopped.

    Attributes:
        number: of the exit, from 1.
        count: how many there are.
        scores: what each exit that was reached said of itself.
        stage_ns: how long the graphs of each stage took that ran.
    """

    number: int
    count: int
    scores: tuple[Mapping[str, float], ...]
    stage_ns: tuple[int, ...]


@dataclass(frozen=True)
class Located:
    """The chosen box of one frame, the times of the stages behind it, and the exit if the model has some."""

    candidate: Candidate
    times: StageTimes
    exit: ExitTaken | None = None


class Locator(Protocol):
    """A model on one backend, for one target at a time."""

    @property
    def card(self) -> ModelCard:
        """The model it runs."""

    def remember(self, frame: Frame, square: Square, fill: Color) -> StageTimes:
        """Crop the template from *frame*, run the target graph, and give its kernels to the xcorr graphs.

        Args:
            frame: HxWx3 uint8 in BGR, or NV12; read only, not kept.
            square: the template region.
            fill: BGR value of the pixels outside the frame, 0..255.

        Raises:
            InferenceError: the backend failed.
        """

    def locate(self, frame: Frame, square: Square, fill: Color, last_size: tuple[float, float]) -> Located:
        """Crop the search region from *frame*, run search and xcorr, and choose the box.

        Args:
            frame: HxWx3 uint8 in BGR, or NV12; read only, not kept.
            square: the search region; its ``out_px`` tells which search of the card is meant.
            fill: BGR value of the pixels outside the frame, 0..255.
            last_size: the target's last width and height, in crop pixels.

        Raises:
            InferenceError: the backend failed, no target was remembered, or the scores are no numbers.
        """

    def close(self) -> None:
        """Free the backend's resources; the locator cannot be used afterwards."""


class HostLocator:
    """Chooses the box from the maps of a matcher, with numpy.

    Args:
        matcher: owned from now on.
    """

    def __init__(self, matcher: Matcher) -> None:
        self._matcher, self._decoders = matcher, decoders(matcher.card)

    @property
    def card(self) -> ModelCard:
        return self._matcher.card

    def remember(self, frame: Frame, square: Square, fill: Color) -> StageTimes:
        return self._matcher.remember(frame, square, fill)

    def locate(self, frame: Frame, square: Square, fill: Color, last_size: tuple[float, float]) -> Located:
        response = self._matcher.match(frame, square, fill)
        started_ns = time.perf_counter_ns()
        candidate = self._decoders[square.out_px].best(response.cls, response.loc, *last_size)
        return Located(candidate, {**response.times, "decode": time.perf_counter_ns() - started_ns})

    def close(self) -> None:
        self._matcher.close()
