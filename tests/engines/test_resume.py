"""What a build that was interrupted or refused leaves, and what a second one takes of it."""

from __future__ import annotations

import json
import shutil

import pytest

from engines.onnxruntime import builder as onnx_runtime
from siamtrt import ArtifactError, BuildError, GraphPrecisions, Manifest, UsageError
from siamtrt.files import sha256
from tests.built import build
from tests.calibrated import write_calibration
from tests.tiny import write_tiny_model


def built(onnx_folder, out, precision="fp32", *, ranges=None):
    return build(onnx_folder, out, "onnxruntime", GraphPrecisions.parse(precision), "make engines", ranges=ranges)


@pytest.fixture
def interrupted_at(monkeypatch):
    """Ctrl-C in build number N, counted from one; the list of the graphs that were begun."""

    def arrange(number):
        attempts = []
        original = onnx_runtime.build_graph

        def interrupted(job, options):
            attempts.append(job.graph.name)
            if len(attempts) == number:
                raise KeyboardInterrupt
            original(job, options)

        monkeypatch.setattr(onnx_runtime, "build_graph", interrupted)
        return attempts

    return arrange


@pytest.fixture
def calibration(tmp_path, tiny_onnx):
    return write_calibration(tmp_path / "calibration", tiny_onnx, sources=["clip", "road"])


def test_an_interrupted_build_resumes(tmp_path, tiny_onnx, interrupted_at):
    attempts = interrupted_at(3)
    with pytest.raises(KeyboardInterrupt):
        built(tiny_onnx, tmp_path / "out")
    with pytest.raises(ArtifactError, match="not a finished engines folder"):
        Manifest.load(tmp_path / "out", stage="engines")
    built(tiny_onnx, tmp_path / "out")
    assert attempts == ["target", "search", "xcorr", "xcorr"]


def test_other_settings_or_a_changed_engine_build_anew(tmp_path, tiny_onnx, interrupted_at):
    attempts = interrupted_at(3)
    with pytest.raises(KeyboardInterrupt):
        built(tiny_onnx, tmp_path / "out")
    (tmp_path / "out" / "target.onnx").write_bytes(b"damaged")
    built(tiny_onnx, tmp_path / "out")
    assert attempts[3:] == ["target", "xcorr"]
    built(tiny_onnx, tmp_path / "out", "fp16")
    assert attempts[5:] == ["target", "search", "xcorr"]


def test_a_changed_graph_builds_anew(tmp_path, interrupted_at):
    write_tiny_model(tmp_path / "onnx")
    attempts = interrupted_at(3)
    with pytest.raises(KeyboardInterrupt):
        built(tmp_path / "onnx", tmp_path / "out")
    write_tiny_model(tmp_path / "onnx", seed=1)
    built(tmp_path / "onnx", tmp_path / "out")
    assert attempts[3:] == ["target", "search", "xcorr"]


def test_a_changed_library_builds_anew(tmp_path, tiny_onnx, interrupted_at, monkeypatch):
    attempts = interrupted_at(3)
    with pytest.raises(KeyboardInterrupt):
        built(tiny_onnx, tmp_path / "out")
    monkeypatch.setattr("engines.build.describe", lambda: {"packages": {"onnxruntime": "another"}})
    built(tiny_onnx, tmp_path / "out")
    assert attempts[3:] == ["target", "search", "xcorr"]


def test_new_ranges_build_anew(tmp_path, tiny_onnx, calibration, interrupted_at):
    attempts = interrupted_at(2)
    with pytest.raises(KeyboardInterrupt):
        built(tiny_onnx, tmp_path / "out", "int8", ranges=calibration)
    shutil.copytree(calibration, tmp_path / "other")
    path = tmp_path / "other" / "search.ranges.json"
    path.write_text(path.read_text() + " ")
    manifest = json.loads((tmp_path / "other" / "manifest.json").read_text())
    manifest["files"]["search.ranges.json"] = sha256(path)
    (tmp_path / "other" / "manifest.json").write_text(json.dumps(manifest))
    built(tiny_onnx, tmp_path / "out", "int8", ranges=tmp_path / "other")
    assert attempts == ["target", "search", "target", "search", "xcorr"]


def test_a_build_that_is_refused_leaves_good_engines_alone(tmp_path, tiny_onnx, monkeypatch):
    built(tiny_onnx, tmp_path / "out")
    with pytest.raises(UsageError):
        built(tiny_onnx, tmp_path / "out", "int8")

    def refused(job, options):
        raise BuildError("no")

    monkeypatch.setattr(onnx_runtime, "build_graph", refused)
    with pytest.raises(BuildError):
        built(tiny_onnx, tmp_path / "out", "fp16")
    Manifest.load(tmp_path / "out", stage="engines")
