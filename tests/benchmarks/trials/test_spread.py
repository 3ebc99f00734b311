"""Work in processes: every item once, a failure is the caller's, and nothing is left running."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from benchmarks.trials.spread import spread, where
from benchmarks.trials.trial import Trial
from sequences.rendered.command import write_clip
from siamtrt import InferenceError, UsageError
from tests.benchmarks.trials.fleet import jobs

ROOT = Path(__file__).parents[3]


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


def test_a_trial_is_finished_for_its_own_settings_alone(tmp_path):
    trial = Trial("fp16", tmp_path / "trials", {"threads": 1, "inputs": ["a"]})
    assert trial.result() is None
    trial.finish({"eao": 0.4})
    assert Trial("fp16", tmp_path / "trials", {"inputs": ["a"], "threads": 1}).result() == {"eao": 0.4}
    assert Trial("fp16", tmp_path / "trials", {"inputs": ["b"], "threads": 1}).result() is None
    assert Trial("fp32", tmp_path / "trials", trial.settings).result() is None


def test_a_killed_parent_takes_its_child_along(tiny_engines, tmp_path):
    write_clip(tmp_path / "videos" / "long", 1, 600)
    log = tmp_path / "log.txt"
    words = ["benchmarks", "vot", "--engines", tiny_engines, "--sequences", tmp_path / "videos", "--out", tmp_path]
    parent = subprocess.Popen([sys.executable, "-m", jobs.__name__, log, *map(str, words)], cwd=ROOT)
    while not (log.is_file() and "threads" in log.read_text()):
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while not log.read_text().endswith("interrupted; what was finished is kept\n"):
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
