"""Ctrl-C, for real: a child is interrupted in the middle, and run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.trials.spread import spread, where
from siamtrt import InferenceError, UsageError

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


@pytest.mark.slow
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


def note(folder, number):
    """A job: leaves a file, and gives more than a pipe holds; 3 fails."""
    if number == 3:
        raise UsageError("three is not done", hint="leave it out")
    (folder / str(number)).write_text("")
    return "x" * number * 100_000


def die(number):
    os._exit(9)


def test_a_process_that_dies_is_told():
    with pytest.raises(InferenceError, match="a job ended with exit code 9"):
        list(spread(die, [1, 2, 3], where(2), "test"))


def linger(folder, number):
    """A job: the first fails at once, the others would take a minute, and clean up when they are stopped."""
    if number == 0:
        raise UsageError("zero is not done")
    try:
        (folder / f"started {number}").write_text("")
        time.sleep(60)
    finally:
        (folder / f"cleaned {number}").write_text("")


def test_a_failure_stops_what_runs_beside_it(tmp_path):
    started = time.monotonic()
    with pytest.raises(UsageError, match="zero is not done"):
        list(spread(partial(linger, tmp_path), [1, 0, 2], where(2), "test"))
    assert time.monotonic() - started < 30
    names = {path.name for path in tmp_path.iterdir()}
    assert {name.replace("started", "cleaned") for name in names} <= names


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_item_is_done_once_and_a_failure_is_the_callers(tmp_path, jobs):
    done = spread(partial(note, tmp_path), [0, 1, 2, 4, 5], where(jobs), "test")
    assert sorted(done) == [(number, "x" * number * 100_000) for number in (0, 1, 2, 4, 5)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2", "4", "5"]
    with pytest.raises(UsageError, match="three is not done\n  try: leave it out"):
        list(spread(partial(note, tmp_path), [6, 3, 7, 8, 9], where(jobs), "test"))
    assert not (tmp_path / "3").exists()
