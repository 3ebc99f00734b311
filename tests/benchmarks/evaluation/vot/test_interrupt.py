"""Ctrl-C, for real: a child is interrupted in the middle, and run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[4]
NAMES = [f"s{number:02d}" for number in range(10)]
FRAMES = 60


@pytest.fixture(scope="module")
def sequences(tmp_path_factory):
    root = tmp_path_factory.mktemp("sequences")
    images = root / "images"
    images.mkdir()
    rng = np.random.default_rng(0)
    for number in range(1, FRAMES + 1):
        cv2.imwrite(str(images / f"{number:08d}.jpg"), rng.integers(0, 256, (120, 160, 3), dtype=np.uint8))
    for name in NAMES:
        (root / name).mkdir()
        (root / name / "color").symlink_to(images)
        (root / name / "groundtruth.txt").write_text("40,30,50,40\n" * FRAMES)
    return root


def start(engines, sequences, out, jobs):
    command = [sys.executable, "-m", "benchmarks", "--quiet", "vot", "--engines", engines, "--sequences", sequences]
    command += ["--out", out, "--tracker", "T", "--threads", 1, "--jobs", jobs]
    return subprocess.Popen(
        list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def results(out):
    return {path.stem: path.stat().st_mtime_ns for path in out.rglob("s??_001.txt")}


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_rerun_goes_on_where_it_was_interrupted(sequences, tiny_engines, tmp_path, jobs):
    child = start(tiny_engines, sequences, tmp_path, jobs)
    limit = time.monotonic() + 60
    while not results(tmp_path) and time.monotonic() < limit:
        time.sleep(0.002)
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does: to the children too
    _, error = child.communicate(timeout=30)
    assert child.returncode == 130, error.decode()
    assert error.decode().splitlines()[-1] == "interrupted; what was finished is kept"
    kept = results(tmp_path)
    assert 0 < len(kept) < len(NAMES)
    for path in tmp_path.rglob("s??_001.txt"):
        assert len(path.read_text().split()) == FRAMES

    child = start(tiny_engines, sequences, tmp_path, jobs)
    _, error = child.communicate(timeout=120)
    assert child.returncode == 0, error.decode()
    after = results(tmp_path)
    assert sorted(after) == [f"{name}_001" for name in NAMES]
    assert {name: after[name] for name in kept} == kept
    files = {path.read_text() for path in tmp_path.rglob("s??_001.txt")}
    assert len(files) == 1  # the same frames ten times, whichever run and process they fell to
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".json") == [
        f"{name}_001.txt" for name in NAMES
    ]
    for name in NAMES:
        assert len(json.loads((tmp_path / "times" / "T" / f"{name}.json").read_text())["frames"]) == FRAMES
