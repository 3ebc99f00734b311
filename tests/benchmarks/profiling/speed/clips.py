"""Clips in which a tracker of random weights keeps or loses the target as the test wants it."""

from __future__ import annotations

from sequences.rendered.command import write_clip

FRAMES = 20
_EVERYWHERE = "1,1,600,400"
_NOWHERE = "-50,-50,10,10"


def write_kept(folder, *, lost_at=None):
    """Twenty frames whose truth is nearly all of the image, so that every box overlaps it, save in frame *lost_at*."""
    write_clip(folder, 7, FRAMES)
    truth = [_NOWHERE if index == lost_at else _EVERYWHERE for index in range(FRAMES)]
    (folder / "groundtruth.txt").write_text("\n".join(truth) + "\n")
    return folder
