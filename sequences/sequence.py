"""The one type of a video with boxes, whatever layout it has on disk."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, Mapping, Tuple

import numpy as np

from sequences.frames import read_frame
from siamtrt import Array, ArtifactError, BoundingBox, UsageError

Region = Tuple[float, ...]


@dataclass(frozen=True)
class Sequence:
    """One object in one video; frames are read when they are asked for.

    Attributes:
        name: of the video: its path below the folder that was opened.
        images: one a frame; a frame of a video file is ``clip.mp4/frame 12``.
        regions: one a frame, 4 numbers (x, y, width, height) or 8 (corners), in pixels; NaN where the object is not
            annotated. One alone in a longer video is the start of tracking.
        source: the folder of many such objects that counts as one origin of frames; empty where the video does.
    """

    name: str
    images: tuple[Path, ...]
    regions: tuple[Region, ...]
    source: str = ""

    def __len__(self) -> int:
        return len(self.images)

    @property
    def is_start_only(self) -> bool:
        """Whether the first box is the only one that is known, and the rest is to be tracked."""
        return len(self.regions) == 1 < len(self.images)

    @property
    def digest(self) -> str:
        """The digest of the truth and the images' names: what a result depends on beside the tracker."""
        shown = repr((self.regions, [image.name for image in self.images]))
        return hashlib.sha256(shown.encode()).hexdigest()

    def frame(self, index: int) -> Array:
        """Read a frame: HxWx3 uint8, BGR.

        Raises:
            ArtifactError: it is not readable.
        """
        return read_frame(self.images[index])

    def start_box(self, index: int) -> BoundingBox:
        """The box a tracker is started with in frame *index*.

        Raises:
            ArtifactError: the region is a polygon without area.
        """
        region = self.regions[index]
        try:
            return BoundingBox.from_polygon(region) if len(region) == 8 else BoundingBox(*region)
        except UsageError as error:
            raise ArtifactError(f"{self.images[index]}: {error.problem}", hint="mend the annotation") from error

    def boxes(self) -> Iterator[tuple[int, BoundingBox]]:
        """Yield the annotated frames: index and box.

        Raises:
            ArtifactError: a polygon has no area.
        """
        for index, region in enumerate(self.regions):
            if math.isfinite(region[0]):
                yield index, self.start_box(index)

    def polygon(self, index: int) -> Array:
        """The region as the running protocol sees it: 4x2 corners; a box ends on its last pixel, as in PySOT."""
        region = self.regions[index]
        if len(region) == 8:
            return np.array(region).reshape(4, 2)
        x, y, width, height = region
        right, bottom = x + width - 1, y + height - 1
        return np.array([(x, y), (x, bottom), (right, bottom), (right, y)])


Readers = Mapping[str, Callable[[], Sequence]]  # name -> what reads the sequence of that name
