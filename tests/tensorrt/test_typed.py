"""The real parser and builder of TensorRT-RTX, which need no GPU; and TensorRT 10 and 11 by the double."""

from __future__ import annotations

import sys

import pytest

from engines.build import build
from engines.tensorrt_options import TensorrtOptions
from runtime.open import open_matcher
from siamtrt import ArtifactError, GraphPrecisions, MissingDependencyError, UsageError
from tests.tensorrt.double.cudart import Cudart
from tests.tensorrt.double.trt import make
from tests.tiny import write_tiny_model

ADA = TensorrtOptions(compute_capabilities=("8.9",))


@pytest.fixture
def onnx(tmp_path):
    write_tiny_model(tmp_path / "onnx", kernel_inputs=True)
    return tmp_path / "onnx"


@pytest.fixture
def rtx():
    return pytest.importorskip("tensorrt_rtx", reason="pip install tensorrt-rtx-cu12 to build real plans")


def typed(onnx, precision, options=ADA):
    out = onnx.parent / precision.replace("=", "-")
    return build(onnx, out, "typed", GraphPrecisions.parse(precision), "", options), out


@pytest.mark.tensorrt
@pytest.mark.parametrize("precision", ["fp32", "fp16", "target=fp16,search=fp16,xcorr=fp32"])
def test_rtx_builds_all_three_graphs(rtx, onnx, precision):
    manifest, out = typed(onnx, precision)
    assert {"target.plan", "search.plan", "xcorr.plan"} <= set(manifest.files)
    assert manifest.environment["tensorrt_rtx"] == rtx.__version__
    assert all((out / name).stat().st_size > 10_000 for name in manifest.files if name.endswith(".plan"))


@pytest.mark.tensorrt
def test_rtx_says_that_it_does_not_know_the_xavier(rtx, onnx):
    with pytest.raises(
        UsageError, match=r"does not build for compute capability 7\.2\n.*backend tensorrt on the board"
    ):
        typed(onnx, "fp32", TensorrtOptions(compute_capabilities=("7.2",)))


def test_a_graph_to_refit_is_refused(tiny_onnx, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", make("10.16.1", Cudart()))
    with pytest.raises(UsageError, match=r"needs an NVIDIA driver\n.*--kernel-inputs"):
        build(tiny_onnx, tmp_path / "out", "typed", GraphPrecisions.parse("fp16"), "")


@pytest.mark.parametrize("version", ["10.0.1", "10.16.1", "11.0.0"])
def test_tensorrt_10_and_11_get_typed_graphs_and_no_precision_flag(onnx, monkeypatch, version):
    trt = make(version, Cudart())
    monkeypatch.setitem(sys.modules, "tensorrt", trt)
    _, out = typed(onnx, "fp16", TensorrtOptions(detailed=True))
    assert [(built["flags"], built["verbosity"]) for built in trt.log_of_builds] == [([], "DETAILED")] * 3
    with pytest.raises(ArtifactError, match="'typed', which this runtime cannot run"):
        open_matcher(out)


def test_only_rtx_takes_named_gpus(onnx, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", make("11.0.0", Cudart()))
    with pytest.raises(UsageError, match="only TensorRT-RTX builds for named GPUs"):
        typed(onnx, "fp32")


def test_tensorrt_8_is_sent_to_the_other_builder(onnx, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", make("8.5.2.2", Cudart()))
    with pytest.raises(MissingDependencyError, match="--backend tensorrt"):
        typed(onnx, "fp32", TensorrtOptions())


def test_int8_is_refused(onnx, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", make("11.0.0", Cudart()))
    with pytest.raises(UsageError, match="cannot be built in INT8 without activation ranges"):
        typed(onnx, "int8")
