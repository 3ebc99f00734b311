from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engines import own_process
from runtime.tensorrt import compiled
from siamtrt import GraphPrecisions
from siamtrt.libraries import cuda
from tests.built import build
from tests.doubles.tensorrt.cudart import Cudart, Kernels
from tests.doubles.tensorrt.trt import make

KERNELS = Path(compiled.__file__).parent / "kernels"


@dataclass
class Board:
    """A Jetson as far as the doubles go."""

    cudart: Cudart
    trt: Any
    onnx: Path
    out: Path

    def build(self, precision="fp32", backend="tensorrt", **options):
        return build(self.onnx, self.out, backend, GraphPrecisions.parse(precision), "make engines", **options)


@pytest.fixture(scope="session")
def cpu_kernels(tmp_path_factory):
    """The kernels' arithmetic compiled for the CPU."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    out = tmp_path_factory.mktemp("kernels") / "kernels.so"
    source = Path(__file__).parent / "kernels_cpu.c"
    flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, f"-I{KERNELS}", "-o", out, source, "-lm"], check=True)
    return ctypes.CDLL(str(out))


@pytest.fixture
def board(monkeypatch, tmp_path, tiny_onnx, cpu_kernels):
    """Make a board: ``board(version="8.5.2.2", integrated=True, ...)``."""

    def start(version="8.5.2.2", *, integrated=True, onnx=tiny_onnx, **quirks):
        cudart = Cudart(integrated=integrated)
        trt = make(version, cudart, **quirks)
        for name in ("tensorrt", "tensorrt_rtx"):
            monkeypatch.setitem(sys.modules, name, trt if trt.__name__ == name else None)
        # a new process would not find the doubles
        monkeypatch.setattr(own_process, "run", lambda function, *arguments: function(*arguments))
        monkeypatch.setattr(cuda, "load", lambda: cudart)
        monkeypatch.setattr(compiled, "load_kernels", lambda: Kernels(cudart, cpu_kernels))
        return Board(cudart, trt, onnx, tmp_path / "engines")

    return start
