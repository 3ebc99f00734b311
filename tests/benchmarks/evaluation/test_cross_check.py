from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from benchmarks.evaluation.cross_check import write
from sequences.annotated import load_sequence
from sequences.rendered.command import write_clip
from siamtrt import GraphPrecisions
from tests.built import build


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip") / "clip"
    write_clip(folder, 7, 2)
    return load_sequence(folder)


def test_the_script_names_every_plan_with_limits_of_its_precision(board, clip, tmp_path):
    double = board()
    double.build("target=fp32,search=fp16,xcorr=fp32")
    lines = write(double.out, double.onnx, clip, tmp_path / "out").read_text().splitlines()
    for graph in ("target", "search", "xcorr"):
        reference, compared = (line for line in lines if f"/{graph}." in line)
        assert f"{double.onnx.resolve()}/{graph}.onnx --onnxrt" in reference
        assert f"{double.out.resolve()}/{graph}.plan --trt --model-type engine" in compared
        assert f"--save-outputs {graph}.reference.json" in reference
        assert f"--load-outputs {graph}.reference.json" in compared
    assert (tmp_path / "out" / "xcorr.npz").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("broken", [False, True])
def test_polygraphy_tells_engines_that_answer_alike_from_others(tiny_onnx, clip, tmp_path, broken):
    if shutil.which("polygraphy", path=str(Path(sys.executable).parent)) is None:
        pytest.skip("needs polygraphy")
    build(tiny_onnx, tmp_path / "engines", "onnxruntime", GraphPrecisions.parse("fp16"), "make engines")
    script = write(tmp_path / "engines", tiny_onnx, clip, tmp_path / "a folder")
    if broken:
        spoil(tmp_path / "engines" / "search.onnx")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "POLYGRAPHY_AUTOINSTALL_DEPS": "0"}
    done = subprocess.run(["sh", str(script)], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) is broken, done.stdout[-2000:]
    assert ("FAILED" in done.stdout) is broken


def spoil(path):
    model = onnx.load(str(path))
    weight = next(one for one in model.graph.initializer if len(one.dims) == 4)
    weight.CopyFrom(numpy_helper.from_array(np.zeros_like(numpy_helper.to_array(weight)), weight.name))
    onnx.save(model, str(path))
