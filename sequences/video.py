"""A video file with its truth beside: ``clip.mp4`` and ``clip.txt``, a line a frame or the first alone."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

from sequences.frames import frames_of_video
from sequences.sequence import Readers, Sequence
from sequences.text import read_regions
from siamtrt import ArtifactError

log = logging.getLogger(__name__)


def find(video: Path, name: str) -> Readers:
    """The sequence of the file *video*, called *name*; none where it has no truth."""
    truth = video.with_suffix(".txt")
    return {name: partial(_read, name, video, truth)} if truth.is_file() else {}


def _read(name: str, video: Path, truth: Path) -> Sequence:
    regions, frames = read_regions(truth), frames_of_video(video)
    if not 1 <= len(regions) <= len(frames):
        raise ArtifactError(
            f"{video} has {len(frames)} frames for {len(regions)} lines of truth in {truth.name}",
            hint="one line a frame, or the first alone to have the rest tracked",
        )
    if 1 < len(regions) < len(frames):
        log.warning(
            "%s: the last %d of %d frames have no truth and are left out",
            video,
            len(frames) - len(regions),
            len(frames),
        )
    return Sequence(name, frames if len(regions) == 1 else frames[: len(regions)], regions)
