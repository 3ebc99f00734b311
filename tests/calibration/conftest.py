"""Frames and a finished calibration of the tiny model."""

from __future__ import annotations

import shutil

import pytest

from calibration.calibrate import calibrate
from calibration.methods import parse
from calibration.plan import Request
from tests.videos import write_film, write_stills, write_video

CROPS = 6


@pytest.fixture(scope="session")
def frames(tmp_path_factory):
    """One clip of each kind but masks; do not write to it."""
    root = tmp_path_factory.mktemp("frames")
    write_video(root / "walk", 6)
    write_video(root / "tracked", 5, boxes=1, seed=50)
    write_film(root / "film.avi", 5)
    (root / "film.txt").write_text("40,30,30,20\n")
    write_stills(root / "stills", {"pair/0.png": [40, 30, 30, 20], "pair/1.png": [42, 30, 30, 20]})
    return root


@pytest.fixture(scope="session")
def request_of(tiny_onnx, frames):
    def make(onnx_folder=tiny_onnx, method="minmax", crops=CROPS, source=frames, seed=0):
        return Request(onnx_folder, source, crops, seed, parse(method), threads=1)

    return make


@pytest.fixture(scope="session")
def calibrated(request_of, tmp_path_factory):
    """A finished folder; do not write to it."""
    out = tmp_path_factory.mktemp("calibration")
    calibrate(request_of(), out, "make calibrate")
    return out


@pytest.fixture
def copied(calibrated, tmp_path):
    """A copy that may be written to."""
    shutil.copytree(str(calibrated), str(tmp_path / "copied"))
    return tmp_path / "copied"
