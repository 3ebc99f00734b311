"""What calibration frames come from: a video or a folder of labelled images, with the boxes that are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Iterator, Optional, Set, Tuple

import cv2

from siamtrt import Array, ArtifactError, BoundingBox
from siamtrt.libraries.images import read_image


@dataclass(frozen=True)
class Label:
    """One object in one frame.

    Attributes:
        frame: its name within the clip.
        position: of the frame in the clip, from 0.
        box: around the object.
        group: labels of one group show the same object.
    """

    frame: str
    position: int
    box: BoundingBox
    group: str


@dataclass(frozen=True)
class Clip:
    """A video, or a folder of labelled images; each counts as one source, however many frames it has.

    Attributes:
        name: its path below the folder that was searched.
        images: one a frame; empty for a video file.
        video: the file, or None.
        labels: usable ones only, sorted by position. One alone in a longer video is the start of tracking.
        untracked: the labels hold the first box only, and the rest is to be tracked.
    """

    name: str
    images: Tuple[Path, ...]
    video: Optional[Path]
    labels: Tuple[Label, ...]
    untracked: bool = False

    def frames(self, wanted: Set[int]) -> Iterator[Tuple[int, Array]]:
        """Yield the frames at the *wanted* positions, ascending: (position, HxWx3 uint8 BGR).

        Raises:
            ArtifactError: one cannot be read.
        """
        seen = 0
        for position, frame in self._video() if self.video else self._stills(sorted(wanted)):
            if position in wanted:
                seen += 1
                yield position, frame
            if seen == len(wanted):
                return
        raise ArtifactError(f"{self.name} ends before frame {max(wanted)}", hint="is the video whole?")

    def all_frames(self) -> Iterator[Tuple[int, Array]]:
        """Yield every frame, likewise."""
        return self._video() if self.video else self._stills(range(len(self.images)))

    def _stills(self, positions: Iterable[int]) -> Iterator[Tuple[int, Array]]:
        for position in positions:
            frame = read_image(self.images[position])
            if frame is None:
                raise ArtifactError(f"{self.images[position]} is not a readable image", hint="remove it and its box")
            yield position, frame

    def _video(self) -> Iterator[Tuple[int, Array]]:
        capture = cv2.VideoCapture(str(self.video))
        try:
            position = 0
            grabbed, frame = capture.read()
            while grabbed:
                yield position, frame
                position += 1
                grabbed, frame = capture.read()
        finally:
            capture.release()
