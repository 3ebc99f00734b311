"""Every example runs as it is, on a small model and a small clip."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from tests.doubles.clip import clip, picture

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
BOX = "40,40,40,40"
COUNT = 30


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    folder = tmp_path_factory.mktemp("video")
    frames = clip(picture(), COUNT)
    writer = cv2.VideoWriter(str(folder / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, frames[0].shape[1::-1])
    for frame in frames:
        writer.write(frame)
    writer.release()
    return folder / "clip.avi"


def run(name, *words):
    """What an example prints, a list of lines."""
    command = [sys.executable, EXAMPLES / f"{name}.py", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        list(map(str, command)), cwd=os.sep, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_own_loop(tiny_engines, video):
    lines = run("own_loop", "--engines", tiny_engines, "--video", video, "--init", BOX)
    assert len(lines) == COUNT - 1
    assert all("score" in line for line in lines)


def test_several_targets(tiny_engines, video):
    words = ["--engines", tiny_engines, "--source", video, "--first", BOX, "--second", "100,50,30,50"]
    counts = [len(line.split()) - 1 for line in run("several_targets", *words)]
    assert counts == [1] * 10 + [2] * 10 + [1] * (COUNT - 20)


def test_precision_sweep(tiny_onnx, video, tmp_path):
    lines = run(
        "precision_sweep", "--onnx", tiny_onnx, "--video", video, "--init", BOX, "--out", tmp_path, "fp32", "fp16"
    )
    assert [line.split()[0] for line in lines[1:]] == ["fp32", "fp16"]
    assert float(lines[1].split()[-1]) == 1


def test_own_model(video, tmp_path):
    pytest.importorskip("torch", reason="exporting needs torch")
    words = ["--model", "siamrpn_nano", "--checkpoint", ROOT / "weights" / "siamrpn_nano.pth"]
    lines = run("own_model", *words, "--video", video, "--init", BOX, "--out", tmp_path / "out")
    assert len([line for line in lines if line.count(",") == 3]) == COUNT


def test_every_example_is_run():
    text = Path(__file__).read_text()
    assert all(f'"{path.stem}"' in text for path in EXAMPLES.glob("*.py"))
