"""The layout of the VOT toolkit: ``NAME/color/00000001.jpg`` and ``NAME/groundtruth.txt``, named by ``list.txt``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from sequences.sequence import Readers
from sequences.text import TRUTH, read_sequence

LIST = "list.txt"


def find(folder: Path, name: str) -> Readers:
    """The sequence of *folder*, called *name*; none where it has another layout."""
    truth, images = folder / TRUTH, folder / "color"
    return {name: partial(read_sequence, name, truth, images)} if truth.is_file() and images.is_dir() else {}


def listed(root: Path) -> list[Path]:
    """The folders that ``list.txt`` names, in its order; none where there is no such file."""
    path = root / LIST
    text = path.read_text(encoding="utf-8", errors="surrogateescape") if path.is_file() else ""
    return [root / name for name in text.split()]
