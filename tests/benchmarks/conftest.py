"""One bench of a tiny model on two short clips, for every test of the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from sequences.rendered.command import write_clip
from tests.benchmarks.reports.call import call


@pytest.fixture(scope="session")
def two_clips(tmp_path_factory) -> Path:
    """Two sequences of 30 frames; do not write to them."""
    root = tmp_path_factory.mktemp("clips")
    for name, seed in (("one", 1), ("two", 2)):
        write_clip(root / name, seed, 30)
    return root


@pytest.fixture(scope="session")
def benched(tiny_engines, two_clips, tmp_path_factory) -> Path:
    """A finished bench folder; do not write to it."""
    out = tmp_path_factory.mktemp("bench") / "out"
    argv = ["--engines", tiny_engines, "--sequences", two_clips, "--out", out, "--threads", 1, "--layer-runs", 2]
    assert call("bench", *argv) == 0
    return out
