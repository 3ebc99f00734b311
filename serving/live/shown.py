"""What there is to see after a frame, or after a request between two."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.frames import Frame
from runtime.tracker import TrackerState


@dataclass(frozen=True)
class Shown:
    """The newest frame and what is known of it.

    Attributes:
        frame: HxWx3 uint8 in BGR, or NV12.
        number: of the frame in the source.
        targets: the number of each and its state.
        status: what else there is to show, ready for JSON: ``paused``, ``over``, ``notice`` and ``recording``.
    """

    frame: Frame
    number: int
    targets: tuple[tuple[int, TrackerState], ...]
    status: dict[str, object]
