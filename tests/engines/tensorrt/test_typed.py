"""The real parser and builder of TensorRT-RTX, which need no GPU; and TensorRT 10 and 11 by the double."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, load, load_from_string
from onnx.numpy_helper import to_array

from engines.graph import GraphJob
from engines.int8 import Int8
from engines.tensorrt.building import TensorrtOptions
from engines.tensorrt.quantize import quantize_symmetric
from engines.tensorrt.typed import typed_graph
from siamtrt import GraphPrecisions, MissingDependencyError, ModelCard, Precision, UsageError
from siamtrt.ranges import Ranges, file_name
from tests.built import build
from tests.calibrated import write_calibration
from tests.doubles.tensorrt.cudart import Cudart
from tests.doubles.tensorrt.trt import make
from tests.tiny import write_tiny_model

WEIGHTS = Path(__file__).parents[3] / "weights" / "siamrpn_nano.pth"
KINDS = {"fp16": {"FLOAT16"}, "int8": {"INT8"}}
ADA = TensorrtOptions(compute_capabilities=("8.9",))


@pytest.fixture
def onnx(tmp_path):
    write_tiny_model(tmp_path / "onnx", kernel_inputs=True)
    return tmp_path / "onnx"


@pytest.fixture
def rtx():
    return pytest.importorskip("tensorrt_rtx", reason="pip install tensorrt-rtx-cu12 to build real plans")


def typed(onnx, precision, options=ADA, **more):
    out = onnx.parent / precision.replace("=", "-")
    return build(onnx, out, "typed", GraphPrecisions.parse(precision), "", options, **more), out


def export(folder, name, network):
    from export.write import write

    write(network, name, folder / "onnx", checkpoint=None, command="", kernel_inputs=True)
    return folder / "onnx"


def kinds(plan):
    """What the 4-D weights of a double's plan are stored in."""
    graph = load_from_string(plan.read_bytes().partition(b"\n")[2]).graph
    return {TensorProto.DataType.Name(weight.data_type) for weight in graph.initializer if len(weight.dims) == 4}


def run(model, feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


@pytest.mark.parametrize("graph", ["target", "search"])
def test_what_int8_leaves_out_computes_in_float16_and_no_scale_changes(onnx, graph):
    source = onnx / f"{graph}.onnx"
    calibration = write_calibration(onnx.parent / "calibration", onnx)
    ranges, card = Ranges.load(calibration / file_name(graph), onnx=source), ModelCard.load(onnx).graph(graph)
    mixed = typed_graph(GraphJob(source, card, Precision.INT8, onnx / "unused", int8=Int8(ranges)))
    plain = quantize_symmetric(load(str(source)), ranges, ())
    scales = [{w.name: to_array(w) for w in model.graph.initializer if "/scale" in w.name} for model in (mixed, plain)]
    assert scales[0].keys() == scales[1].keys()
    for name, scale in scales[0].items():
        assert scale.dtype == np.float16
        np.testing.assert_array_equal(scale, scales[1][name])
    mixed.opset_import[0].version = 19  # the first opset that lets ONNX Runtime run pairs on float16
    (spec,) = plain.graph.input
    side = spec.type.tensor_type.shape.dim[2].dim_value
    image = np.random.default_rng(3).integers(0, 256, (1, 3, side, side)).astype(np.float32)
    for half, whole in zip(run(mixed, {spec.name: image}), run(plain, {spec.name: image})):
        assert half.dtype == np.float32
        # a value at the edge of two integers may fall to either side: within the noise of INT8 itself
        assert np.square(half - whole).mean() < 1e-3 * np.square(whole).mean()


def require_plans(manifest, out, least_bytes):
    assert {"target.plan", "search.plan", "xcorr.plan"} <= set(manifest.files)
    sizes = {name: (out / name).stat().st_size for name in manifest.files if name.endswith(".plan")}
    assert all(size > least_bytes for size in sizes.values()), sizes
    return sizes


@pytest.mark.tensorrt
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8", "int8-all", "target=fp16,search=int8,xcorr=fp32"])
def test_rtx_builds_all_three_graphs(rtx, onnx, precision):
    ranges = write_calibration(onnx.parent / "calibration", onnx) if "int8" in precision else None
    manifest, out = typed(onnx, precision, ranges=ranges)
    require_plans(manifest, out, 10_000)
    assert manifest.environment["tensorrt_rtx"] == rtx.__version__


@pytest.mark.slow
@pytest.mark.tensorrt
def test_rtx_builds_the_shipped_model_in_every_precision(rtx, tmp_path):
    pytest.importorskip("torch", reason="exporting needs torch")
    from networks.checkpoint import load as load_network

    exported = export(tmp_path, "siamrpn_nano", load_network("siamrpn_nano", WEIGHTS))
    ranges = write_calibration(tmp_path / "calibration", exported, samples=1)
    for precision in ("fp32", "fp16", "int8", "int8-all"):
        require_plans(*typed(exported, precision, ranges=ranges if "int8" in precision else None), 500_000)


@pytest.mark.slow
@pytest.mark.tensorrt
def test_rtx_builds_siamrpn_r50_in_every_precision(rtx, tmp_path):
    pytest.importorskip("torch", reason="exporting needs torch")
    from networks.seeded import seeded

    exported = export(tmp_path, "siamrpn_r50", seeded("siamrpn_r50", 0))
    ranges = write_calibration(tmp_path / "calibration", exported, samples=0)
    search_mb = {}
    for precision in ("fp32", "fp16", "int8"):
        given = {"ranges": ranges, "correction_samples": 0} if "int8" in precision else {}
        sizes = require_plans(*typed(exported, precision, **given), 1_000_000)
        search_mb[precision] = sizes["search.plan"] / 1e6
        shutil.rmtree(tmp_path / precision)
    assert search_mb["fp16"] < 0.6 * search_mb["fp32"]  # the weights are most of a plan
    assert search_mb["int8"] < 0.4 * search_mb["fp32"]


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
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("version", ["10.0.1", "10.16.1", "11.0.0"])
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_tensorrt_10_and_11_get_typed_graphs_and_no_precision_flag(onnx, monkeypatch, version, precision):
    trt = make(version, Cudart())
    monkeypatch.setitem(sys.modules, "tensorrt", trt)
    ranges = write_calibration(onnx.parent / "calibration", onnx) if precision == "int8" else None
    _, out = typed(onnx, precision, TensorrtOptions(), ranges=ranges)
    assert [(built["flags"], built["verbosity"]) for built in trt.log_of_builds] == [([], "DETAILED")] * 3
    assert all(kinds(out / f"{graph}.plan") == KINDS[precision] for graph in ("search", "xcorr"))
    assert kinds(out / "target.plan") == {"FLOAT16"}  # int8 alone leaves it there


def test_only_rtx_takes_named_gpus(onnx, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", make("11.0.0", Cudart()))
    with pytest.raises(UsageError, match="only TensorRT-RTX builds for named GPUs"):
        typed(onnx, "fp32")


def test_tensorrt_8_is_sent_to_the_other_builder(onnx, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", make("8.5.2.2", Cudart()))
    with pytest.raises(MissingDependencyError, match="--backend tensorrt"):
        typed(onnx, "fp32", TensorrtOptions())


def test_int8_without_ranges_is_refused(onnx, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", make("11.0.0", Cudart()))
    with pytest.raises(UsageError, match="cannot be built in INT8 without activation ranges"):
        typed(onnx, "int8")
