"""The layout of GOT-10k: ``NAME/groundtruth.txt`` among the images; UAV123's too, once each folder has its truth."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from sequences.sequence import Readers
from sequences.text import TRUTH, read_sequence


def find(folder: Path, name: str) -> Readers:
    """The sequence of *folder*, called *name*; none where it has another layout."""
    truth = folder / TRUTH
    there = truth.is_file() and not (folder / "img").is_dir()
    return {name: partial(read_sequence, name, truth, folder)} if there else {}
