from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from engines import own_process
from engines.onnxruntime import builder as onnx_runtime
from siamtrt import BuildError, GraphPrecisions, Manifest, MissingDependencyError
from tests.built import build


def write_pid(path, words):
    Path(path).write_text(f"{os.getpid()} {words}")


def refuse():
    raise MissingDependencyError("nothing is here", hint="install it")


class OfAModuleError(BuildError):
    def __init__(self, problem, layers, *, hint=""):
        super().__init__(problem, hint=hint)


def refuse_in_its_own_way():
    raise OfAModuleError("no kernel", ["a"], hint="another layer")


def vanish():
    os._exit(3)


def fail():
    raise ZeroDivisionError


def test_it_is_another_process(tmp_path):
    own_process.run(write_pid, tmp_path / "pid", "done")
    pid, words = (tmp_path / "pid").read_text().split()
    assert (int(pid) != os.getpid(), words) == (True, "done")


def test_what_goes_wrong_there_is_raised_here():
    with pytest.raises(MissingDependencyError) as caught:
        own_process.run(refuse)
    assert (caught.value.problem, caught.value.hint) == ("nothing is here", "install it")
    with pytest.raises(BuildError, match=r"no kernel\n.*another layer"):
        own_process.run(refuse_in_its_own_way)


@pytest.mark.parametrize(("end", "code"), [(vanish, 3), (fail, 1)])
def test_a_process_that_vanishes_is_told(end, code):
    with pytest.raises(BuildError, match=f"ended with code {code}"):
        own_process.run(end)


def linger(path):
    Path(path).write_text(str(os.getpid()))
    time.sleep(60)


def test_an_interruption_ends_it_too(tmp_path):
    pid = tmp_path / "pid"

    def interrupt():
        while not (pid.is_file() and pid.read_text()):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        own_process.run(linger, pid)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_jobs_reach_it_whole(tiny_onnx, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_runtime, "OWN_PROCESS", True)
    build(tiny_onnx, tmp_path, "onnxruntime", GraphPrecisions.parse("fp16"), "")
    assert Manifest.load(tmp_path, stage="engines").files


def test_plans_of_tensorrt_are_built_there(board, monkeypatch):
    asked = []
    double = board()
    monkeypatch.setattr(
        own_process, "run", lambda function, job, options: asked.append(job.graph.name) or function(job, options)
    )
    double.build()
    assert asked == ["target", "search", "xcorr"]
