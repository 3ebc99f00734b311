"""Trials on clusters of Dask: every one once, whoever dies, wherever the files are."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from argparse import Namespace
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="clusters need requirements/fleet.txt")

from distributed import Client

from benchmarks.trials.fleet import cluster, side
from benchmarks.trials.fleet.carry import written
from benchmarks.trials.place import opened
from benchmarks.trials.spread import spread
from siamtrt import InferenceError, UsageError
from tests.benchmarks.reports.call import call
from tests.benchmarks.trials.fleet import jobs

ROOT = Path(__file__).parents[4]
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*:ResourceWarning", "ignore:.*:pytest.PytestUnraisableExceptionWarning"
)


@contextmanager
def program(*words, before=()):
    """A program of Dask beside this one, killed behind the block with all that it started."""
    command = [*before, sys.executable, "-m", "dask", *map(str, words), "--no-dashboard"]
    log = subprocess.DEVNULL
    child = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
    try:
        yield child
    finally:
        with_group(child, signal.SIGKILL)
        child.wait()


def with_group(child, number):
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def scheduler(port):
    return program("scheduler", "--host", "127.0.0.1", "--port", port)


def worker(port, folder, *more, before=()):
    words = ("--nthreads", 1, "--local-directory", folder, "--no-nanny", *more)
    return program("worker", f"tcp://127.0.0.1:{port}", *words, before=before)


def refuse(address, resource, out, words):
    with pytest.raises(UsageError, match=words), cluster.joined(address, resource, out):
        pass


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two workers started by the command itself."""
    out = tmp_path_factory.mktemp("two")
    with cluster.started(2, out) as place:
        yield place, out


def test_every_item_is_done_once_and_a_failure_is_the_callers(two):
    place, out = two
    done = dict(spread(partial(jobs.note, folder=out / "notes"), [0, 1, 2, 4, 5], place, "test"))
    assert done == {number: "x" * number * 100_000 for number in (0, 1, 2, 4, 5)}
    assert sorted(path.name for path in (out / "notes").iterdir()) == ["0", "1", "2", "4", "5"]
    with pytest.raises(UsageError, match="three is not done\n  try: leave it out"):
        list(spread(partial(jobs.note, folder=out / "notes"), [6, 3, 7], place, "test"))


def test_a_trial_that_ends_every_worker_is_told(two):
    place, _ = two
    with pytest.raises(InferenceError, match="again and again"):
        list(spread(jobs.die, [1], place, "test"))


def test_vot_over_workers_is_byte_for_byte_that_of_one_process(tiny_engines, two_clips, tmp_path):
    for name, more in (("one", ()), ("two", ("--workers", 2))):
        words = ["--engines", tiny_engines, "--sequences", two_clips, "--out", tmp_path / name, "--threads", 1]
        assert call("vot", *words, *more) == 0
    results = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one" / "results").rglob("*.txt"))
    assert len(results) == 2
    for path in results:
        assert (tmp_path / "two" / path).read_bytes() == (tmp_path / "one" / path).read_bytes()
    assert not list((tmp_path / "two").glob(".fleet-*"))


def attempts(seen):
    counts = {}
    for path in seen.iterdir():
        number = int(path.name.split(".")[0])
        counts[number] = counts.get(number, 0) + 1
    return counts


def test_a_killed_worker_and_a_killed_scheduler_lose_what_they_were_at_alone(tmp_path):
    out, seen, port, items = tmp_path / "out", tmp_path / "seen", free_port(), list(range(27))
    seen.mkdir()
    work = partial(jobs.attempt, out=out, seen=str(seen))

    def missing():
        return [number for number in items if not (out / "results" / f"{number}.txt").is_file()]

    def run(place):
        return [number for number, _ in spread(work, missing(), place, "test")]

    with worker(port, tmp_path / "a") as first, worker(port, tmp_path / "b"), worker(port, tmp_path / "c"):
        with scheduler(port) as head, cluster.joined(f"dask://127.0.0.1:{port}", None, out) as place:

            def kill():
                while len(missing()) > 20:
                    time.sleep(0.02)
                with_group(first, signal.SIGKILL)
                while len(missing()) > 12:
                    time.sleep(0.02)
                with_group(head, signal.SIGKILL)

            thread = threading.Thread(target=kill)
            thread.start()
            with pytest.raises(InferenceError, match="the scheduler is gone"):
                run(place)
            thread.join()
        time.sleep(0.5)  # what the other two were at ends by itself
        finished = set(items) - set(missing())
        assert 12 <= len(finished) < 20
        before = attempts(seen)
        assert sum(count - 1 for count in before.values()) <= 1  # that of the worker
    again = cluster.joined(f"tcp://127.0.0.1:{port}", None, out)
    with scheduler(port), worker(port, tmp_path / "d"), worker(port, tmp_path / "e"), again as place:
        assert set(run(place)) == set(items) - finished
    after = attempts(seen)
    assert {number: after[number] for number in finished} == {number: before[number] for number in finished}
    assert sum(count - 1 for count in after.values()) <= 1 + 2  # two workers were left when the scheduler went
    assert not missing()


def hidden(folder):
    """Words before a command that hide *folder* from it; None where this machine does not allow that."""
    script = f'mount -t tmpfs none "{folder}" && exec "$@"'
    words = ["unshare", "-rm", "sh", "-c", script, "sh"]
    return (
        words if shutil.which("unshare") and subprocess.call([*words, "true"], stderr=subprocess.DEVNULL) == 0 else None
    )


def test_a_worker_without_our_disk_is_sent_inputs_once_and_sends_its_results(tmp_path):
    ours, port = tmp_path / "ours", free_port()
    (ours / "input").mkdir(parents=True)
    (ours / "input" / "input.txt").write_text("what is read")
    before = hidden(ours)
    if not before:
        pytest.skip("needs 'unshare -rm', which hides a folder from a process")
    store = tmp_path / "theirs"
    work = partial(jobs.copy, source=ours / "input", out=ours / "out")
    joined = cluster.joined(f"tcp://127.0.0.1:{port}", None, ours / "out")
    with scheduler(port), worker(port, store, before=before), joined as place:
        places = dict(spread(work, [1, 2, 3], place, "test"))
    assert len(set(places.values())) == 1
    assert str(store) in places[1]
    for number in (1, 2, 3):
        assert (ours / "out" / "results" / f"{number}.txt").read_text() == "what is read"
        assert (ours / "out" / "times" / f"{number}.txt").read_text() == "a note"


def test_files_come_home_with_what_declares_them_finished_behind_them(tmp_path):
    for name in ("engines/manifest.json", "results/one.txt", "engines/a.onnx", "times/one.json", "trials/fp32.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
        time.sleep(0.01)
    assert [name for name, _ in written(tmp_path)] == [
        "engines/a.onnx",
        "times/one.json",
        "engines/manifest.json",
        "results/one.txt",
        "trials/fp32.json",
    ]


def test_trials_with_a_resource_run_one_at_a_time_where_it_is(tmp_path):
    out, seen, port = tmp_path / "out", tmp_path / "seen", free_port()
    seen.mkdir()
    board = ("--resources", "agx-xavier=1")
    with scheduler(port), worker(port, tmp_path / "a"), worker(port, tmp_path / "b", *board):
        with Client(f"tcp://127.0.0.1:{port}") as client:
            client.wait_for_workers(2, timeout=60)  # else the one without the resource may be all there is
        with cluster.joined(f"tcp://127.0.0.1:{port}", "agx-xavier", out) as place:
            list(spread(partial(jobs.attempt, out=out, seen=str(seen)), [1, 2, 3], place, "test"))
        refuse(f"tcp://127.0.0.1:{port}", "orin", out, "no worker has the resource 'orin'; there are: agx-xavier")
    assert len({path.name.split(".")[1] for path in seen.iterdir()}) == 1


def test_a_cluster_of_another_python_or_of_no_use_is_refused(tmp_path, monkeypatch):
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    monkeypatch.setattr(cluster, "_PATIENCE_S", 1)
    refuse(address, None, tmp_path, f"no cluster at {address}")
    monkeypatch.setattr(cluster, "_PATIENCE_S", 20)
    with scheduler(port), program("worker", address, "--nthreads", 2, "--no-nanny"):
        refuse(address, None, tmp_path, "several trials in one process")
        monkeypatch.setattr(side, "version", lambda package: "2020.1")
        refuse(address, None, tmp_path, r"the scheduler runs other software: dask \S+ there, 2020.1 here")


def test_one_place_is_chosen(tmp_path):
    def place(**given):
        return opened(Namespace(**{"jobs": 1, "workers": None, "cluster": None, "resource": None, **given}), tmp_path)

    for given in ({"jobs": 2, "workers": 2}, {"workers": 2, "cluster": "tcp://one:8786"}, {"resource": "orin"}):
        with pytest.raises(UsageError), place(**given):
            pass
    with place() as here:
        assert here.undisturbed
    with place(jobs=2) as two:
        assert not two.undisturbed


@pytest.mark.slow
def test_a_sweep_on_four_workers_has_the_table_of_one_process(tiny_onnx, two_clips, tmp_path, capsys):
    tables = {}
    for name, more in (("one", ()), ("four", ("--workers", 4))):
        words = ["--onnx", tiny_onnx, "--sequences", two_clips, "--threads", 1, "--rounds", 0]
        assert call("sweep", *words, "--precisions", "fp32", "fp16", "--out", tmp_path / name, *more) == 0
        rows = json.loads((tmp_path / name / "sweep.json").read_text())["rows"]
        kept = ("label", "skipped", "eao", "eao_interval_95", "accuracy", "failures", "drift_overlap")
        tables[name] = [{key: row[key] for key in kept} for row in rows]
    assert tables["one"] == tables["four"]
    assert [row["label"] for row in tables["four"]][:2] == ["fp32", "fp32+fp32+fp16"]
    assert len(tables["four"]) == 8
    assert {(row["skipped"], row["no_drift"]) for row in rows} == {(None, None)}
    assert {row["fps"] for row in rows} == {None}  # four beside each other
    assert {row["no_power"] for row in rows} == {"other trials ran beside it"}
