"""A checkpoint, a configuration and videos to prune with: tiny data around the shipped weights."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.training.data import write_videos

WEIGHTS = Path("weights/siamrpn_nano.pth")
_CONFIG = """
steps = {steps}
validate_steps = {steps}
batch = 2
validation = ["held"]
validation_pairs = 2
[task]
kind = "pruned"
model = "siamrpn_nano"
[[data.sources]]
kind = "videos"
path = "videos"
"""


def write_home(root, *, steps=1, frames=3):
    """Write videos, c.toml and whole.pth into *root*, and return it."""
    write_videos(root / "videos", frames=frames)
    (root / "c.toml").write_text(_CONFIG.format(steps=steps))
    shutil.copy(WEIGHTS, root / "whole.pth")  # the exporter merges tensors that are alike, as random ones can be
    return root
