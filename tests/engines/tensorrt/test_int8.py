"""INT8 by builder flags, on the double: what TensorRT is told, and what it does not get away with."""

from __future__ import annotations

import logging
import re

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from calibration.calibrate import calibrate
from calibration.methods import parse
from calibration.plan import Request
from engines.graph import GraphJob, correlations, read_graph
from engines.int8 import Int8, samples_of
from engines.tensorrt import builder
from engines.tensorrt.building import CALIBRATORS, TENSORRT, TensorrtOptions
from engines.tensorrt.ranges import Batches, ServedRanges
from siamtrt import ArtifactError, BuildError, GraphPrecisions, InferenceError, ModelCard, Precision, UsageError
from siamtrt.libraries import calibration_cache
from siamtrt.ranges import Ranges, file_name
from tests.built import build
from tests.calibrated import write_calibration
from tests.doubles.tensorrt import int8
from tests.doubles.tensorrt.cudart import Cudart
from tests.doubles.tensorrt.trt import make
from tests.tiny import write_tiny_model
from tests.videos import write_video

VERSIONS = ["8.5.2.2", "8.6.1", "10.0.1", "10.16.1"]
THREE = "target=int8,search=int8,xcorr=int8"
THEIRS = TensorrtOptions(calibrator=TENSORRT)


@pytest.fixture(scope="module")
def calibration(tiny_onnx, tmp_path_factory):
    return write_calibration(tmp_path_factory.mktemp("calibration"), tiny_onnx, samples=3)


def job(board, calibration):
    card, source = ModelCard.load(board.onnx), board.onnx / "search.onnx"
    ranges = Ranges.load(calibration / file_name("search"), onnx=source)
    int8 = Int8(ranges, samples=samples_of(calibration, card, "search"))
    return GraphJob(source, card.graph("search"), Precision.INT8, board.out / "search.plan", int8=int8)


@pytest.mark.parametrize("version", VERSIONS)
def test_int8_lets_fp16_in_and_pins_the_correlations_to_it(board, calibration, version):
    double = board(version)
    manifest = double.build(THREE, ranges=calibration)
    target, search, xcorr = double.trt.log_of_builds
    assert target["flags"] == search["flags"] == ["FP16", "INT8"]
    assert xcorr["flags"] == ["FP16", "INT8", "OBEY_PRECISION_CONSTRAINTS", "REFIT"]
    assert target["pins"] == search["pins"] == {}
    assert xcorr["pins"] == {"correlation_cls": "HALF", "correlation_loc": "HALF"}
    assert xcorr["output_pins"] == ["correlation_cls", "correlation_loc"]
    assert manifest.settings["calibration_sources"] == ["noise"]
    assert manifest.settings["calibrator"] == "ranges"
    assert str(calibration / "search.ranges.json") in manifest.parents


def test_int8_alone_leaves_the_target_graph_in_fp16(board, calibration):
    double = board()
    double.build("int8", ranges=calibration)
    assert [built["flags"][:2] for built in double.trt.log_of_builds] == [["FP16"], ["FP16", "INT8"], ["FP16", "INT8"]]


def test_int8_all_pins_nothing(board, calibration):
    double = board()
    double.build("int8-all", ranges=calibration)
    assert [built["pins"] for built in double.trt.log_of_builds] == [{}, {}, {}]
    assert "OBEY_PRECISION_CONSTRAINTS" not in double.trt.log_of_builds[-1]["flags"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_scales_are_our_ranges(board, calibration, version):
    double = board(version)
    double.build("target=fp32,search=int8,xcorr=fp32", ranges=calibration)
    (search,) = [built for built in double.trt.log_of_builds if "scales" in built]
    ranges = Ranges.load(calibration / file_name("search"), onnx=double.onnx / "search.onnx").tensors
    assert search["scales"] == pytest.approx({name: tensor.amax / 127 for name, tensor in ranges.items()}, rel=1e-6)
    assert {"search", "stemmed", "feature_cls"} <= set(search["scales"])
    assert not list(double.out.glob("*.cache"))


@pytest.mark.parametrize("calibrator", CALIBRATORS)
def test_what_the_calibration_stage_leaves_is_all_it_needs(board, tmp_path, caplog, calibrator):
    double = board()
    write_video(tmp_path / "frames" / "walk", 6)
    request = Request(double.onnx, tmp_path / "frames", 4, 0, parse("minmax"), threads=1)
    calibrate(request, tmp_path / "calibration", "")
    double.build(THREE, ranges=tmp_path / "calibration", tensorrt=TensorrtOptions(calibrator=calibrator))
    assert "have no range" not in caplog.text
    assert double.cudart.count("cudaMemcpy") == (0 if calibrator == "ranges" else 4 + 4)
    for built, graph in zip(double.trt.log_of_builds, ("target", "search", "xcorr")):
        stored = (tmp_path / "calibration" / calibration_cache.file_name(graph)).read_bytes()
        expected = {name: amax / 127 for name, amax in calibration_cache.parse(stored, tensorrt="8.5.2.2").items()}
        assert set(built["scales"]) <= set(expected)
        for name, scale in built["scales"].items():
            assert scale == pytest.approx(expected[name], rel=1e-4), name


def test_a_kept_layer_is_pinned(board, calibration):
    double = board()
    double.build("target=fp16,search=int8,xcorr=fp16", ranges=calibration, keep=["stemmed"])
    search = double.trt.log_of_builds[1]
    assert search["pins"] == {"stemmed": "HALF"}
    assert "OBEY_PRECISION_CONSTRAINTS" in search["flags"]


def test_what_the_network_puts_out_stays_float32(board, calibration):
    double = board()
    double.build("target=fp16,search=fp16,xcorr=int8", ranges=calibration, keep=["cls"])
    xcorr = double.trt.log_of_builds[2]
    assert xcorr["pins"] == {"correlation_cls": "HALF", "correlation_loc": "HALF", "cls": "HALF"}
    assert xcorr["output_pins"] == ["correlation_cls", "correlation_loc"]


def test_a_layer_tensorrt_has_lost_cannot_be_pinned(board, calibration, monkeypatch):
    double = board()
    parser = double.trt.OnnxParser
    original = parser.parse

    def fusing(self, data):
        parsed = original(self, data)
        self._network.layers = [layer for layer in self._network.layers if layer.name != "stemmed"]
        return parsed

    monkeypatch.setattr(parser, "parse", fusing)
    with pytest.raises(BuildError, match="has no layer for stemmed, to keep in FP16"):
        double.build("target=fp16,search=int8,xcorr=fp16", ranges=calibration, keep=["search:stemmed"])


def test_correlations_are_found_whether_refitted_or_fed(tiny_onnx, tmp_path):
    assert correlations(read_graph(tiny_onnx / "xcorr.onnx"), ("kernel_cls",)) == ["correlation_cls"]
    assert correlations(read_graph(tiny_onnx / "xcorr.onnx")) == []
    write_tiny_model(tmp_path, kernel_inputs=True)
    assert correlations(read_graph(tmp_path / "xcorr.onnx")) == ["correlation_cls", "correlation_loc"]
    assert correlations(read_graph(tmp_path / "search.onnx")) == []


def test_a_correlation_without_a_name_is_refused(tiny_onnx):
    model = read_graph(tiny_onnx / "xcorr.onnx")
    for node in model.graph.node:
        node.name = ""
    with pytest.raises(BuildError, match="gives correlation_cls has no name"):
        correlations(model, ("kernel_cls",))


@pytest.mark.parametrize("version", VERSIONS)
def test_ranges_that_no_cache_brings_are_given_tensor_by_tensor(board, calibration, caplog, version):
    double = board(version, takes_no_cache=True)
    double.build("target=fp32,search=int8,xcorr=fp32", ranges=calibration)
    (search,) = [built for built in double.trt.log_of_builds if "scales" in built]
    ranges = Ranges.load(calibration / file_name("search"), onnx=double.onnx / "search.onnx").tensors
    assert search["scales"] == pytest.approx({name: tensor.amax / 127 for name, tensor in ranges.items()}, rel=1e-6)
    assert "did not take the activation ranges it was served" in caplog.text
    assert "building again with a range for each tensor" in caplog.text


def test_a_layer_without_a_kernel_is_named_as_the_way_out(board, calibration):
    double = board(no_kernel=[("stemmed", "INT8")])
    with pytest.raises(BuildError, match=r"implementation for node stemmed(.|\n)*--float-layers search:stemmed"):
        double.build("target=fp16,search=int8,xcorr=fp16", ranges=calibration)
    double.build("target=fp16,search=int8,xcorr=fp16", ranges=calibration, keep=["search:stemmed"])


def test_a_pinned_layer_that_fp16_has_no_kernel_for_computes_in_fp32(board, calibration, caplog):
    double = board(no_kernel=[("correlation_cls", "HALF")])
    double.build("target=fp16,search=fp16,xcorr=int8", ranges=calibration)
    xcorr = double.trt.log_of_builds[-1]
    assert xcorr["pins"] == {"correlation_cls": "FLOAT", "correlation_loc": "HALF"}
    assert "FP16 has no kernel for correlation_cls; it computes in FP32" in caplog.text


def test_a_pinned_layer_without_any_float_kernel_ends_the_build(board, calibration):
    double = board(no_kernel=[("correlation_cls", "HALF"), ("correlation_cls", "FLOAT")])
    with pytest.raises(BuildError, match="find any implementation for node correlation_cls"):
        double.build("target=fp16,search=fp16,xcorr=int8", ranges=calibration)


def test_a_build_refused_after_it_took_the_ranges_keeps_its_own_reason(board, calibration):
    for options in (TensorrtOptions(), THEIRS):
        with pytest.raises(
            BuildError, match=r"^TensorRT 8.5.2.2 cannot build target.plan: .*Could not find any"
        ) as caught:
            board(fails_after_calibration=True).build(THREE, ranges=calibration, tensorrt=options)
        assert "--workspace-mib" in caught.value.hint


@pytest.mark.parametrize("version", VERSIONS)
def test_every_int8_plan_tells_what_share_of_its_work_is_int8(board, calibration, version, caplog):
    with caplog.at_level(logging.INFO):
        board(version).build(THREE, ranges=calibration)
    assert "100.0 % of the multiply-accumulates of search.plan are in INT8" in caplog.text
    assert re.search(r"\b\d\d\.\d % of the multiply-accumulates of xcorr.plan are in INT8", caplog.text)


@pytest.mark.parametrize("quirk", ["ignores_int8", "only_reformats"])
def test_a_plan_whose_products_came_out_without_int8_is_an_error(board, calibration, quirk):
    double = board(**{quirk: True})
    with pytest.raises(BuildError, match=r"no product of search\.plan is in INT8"):
        double.build("target=fp16,search=int8,xcorr=fp16", ranges=calibration)
    assert not (double.out / "search.plan").exists()


def test_a_plan_with_little_int8_is_a_warning(board, calibration, caplog):
    double = board()
    double.build("target=fp16,search=int8,xcorr=fp16", ranges=calibration, keep=["stemmed"])
    (told,) = [record for record in caplog.records if "are in INT8" in record.getMessage()]
    assert told.levelno == logging.WARNING


def test_ranges_nobody_asked_for_are_an_error():
    served = ServedRanges(b"")
    with pytest.raises(BuildError, match="did not take the activation ranges"):
        served.require_complete()
    served.read_cache()
    served.require_complete()
    assert served.next_batch(["search"]) is None
    with pytest.raises(BuildError, match="did not take the activation ranges"):
        served.require_complete()


def test_tensors_without_a_range_are_told(board, calibration, tmp_path, caplog):
    double = board()
    path, source = tmp_path / file_name("search"), double.onnx / "search.onnx"
    ranges = Ranges.load(calibration / file_name("search"), onnx=source)
    some = {name: tensor for name, tensor in ranges.tensors.items() if name != "active"}
    Ranges(ranges.onnx_sha256, some).save(path)
    with caplog.at_level(logging.WARNING):
        builder.build_graph(job(double, tmp_path), TensorrtOptions())
    assert "1 of 6 tensors have no range and stay in FP16: active" in caplog.text
    Ranges(ranges.onnx_sha256, {"active": ranges.tensors["active"]}).save(path)
    with pytest.raises(BuildError, match="leave out the inputs search"):
        builder.build_graph(job(double, tmp_path), TensorrtOptions())


def test_ranges_of_another_graph_are_refused(board, calibration, tmp_path):
    double = board()
    write_tiny_model(tmp_path / "other", seed=1)
    double.onnx = tmp_path / "other"
    with pytest.raises(ArtifactError, match="was measured on another graph"):
        double.build(THREE, ranges=calibration)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_gpu_without_fast_kernels_is_told(board, calibration, precision):
    with pytest.raises(UsageError, match=f"this GPU has no fast {precision.upper()}"):
        board(fast=False).build(
            precision if precision == "fp16" else THREE, ranges=calibration if precision == "int8" else None
        )


@pytest.mark.parametrize("version", VERSIONS)
def test_tensorrts_own_calibrator_sees_every_sample_once(board, calibration, version):
    double = board(version)
    double.build(THREE, ranges=calibration, tensorrt=THEIRS)
    assert double.cudart.count("cudaMemcpy") == 3 + 3
    assert double.cudart.memory == {}
    _, search, xcorr = double.trt.log_of_builds
    ranges = Ranges.load(calibration / file_name("search"), onnx=double.onnx / "search.onnx").tensors
    for name in ("search", "stemmed", "feature_loc"):
        assert search["scales"][name] == pytest.approx(ranges[name].amax / 127, rel=1e-5)
    assert xcorr["scales"]["correlation_cls"] > 0
    assert sorted(path.name.split("-")[0] for path in double.out.glob("*.cache")) == ["search", "target"]


def test_a_second_build_takes_the_cache(board, calibration):
    double = board()
    first = double.build(THREE, ranges=calibration, tensorrt=THEIRS)
    double.cudart.forget_calls()
    double.trt.log_of_builds.clear()
    assert double.build(THREE, ranges=calibration, tensorrt=THEIRS).files == first.files
    assert double.cudart.count("cudaMemcpy") == 0


@pytest.mark.parametrize("changed", ["library", "samples", "graph"])
def test_a_stale_cache_is_not_taken(board, calibration, tmp_path, changed):
    board().build(THREE, ranges=calibration, tensorrt=THEIRS)
    double = board("8.5.3.1" if changed == "library" else "8.5.2.2")
    if changed == "graph":
        write_tiny_model(tmp_path / "other", seed=1)
        double.onnx = tmp_path / "other"
    if changed != "library":
        calibration = write_calibration(tmp_path / "new", double.onnx, samples=3, seed=1)
    double.build(THREE, ranges=calibration, tensorrt=THEIRS)
    assert double.cudart.count("cudaMemcpy") == 6


def test_a_damaged_cache_is_refused(board, calibration):
    double = board()
    double.build(THREE, ranges=calibration, tensorrt=THEIRS)
    (path,) = double.out.glob("search-*.cache")
    assert calibration_cache.parse(path.read_bytes(), tensorrt="8.5.2.2")
    path.write_bytes(path.read_bytes().replace(b"TRT-8502", b"TRT-8400"))
    with pytest.raises(ArtifactError, match="is TRT-8400-EntropyCalibration2"):
        double.build(THREE, ranges=calibration, tensorrt=THEIRS)


def test_a_calibration_that_tensorrt_gives_up_sends_to_our_ranges(board, calibration, monkeypatch):
    monkeypatch.setattr(int8, "_measure", lambda *_: {})
    with pytest.raises(BuildError, match=r"took 0 of 3 samples .*; TensorRT .* no scaling f.*\n.*--calibrator ranges"):
        board().build(THREE, ranges=calibration, tensorrt=THEIRS)


def test_dead_layers_are_named_and_our_ranges_build_them(board, tmp_path):
    double = board()
    double.onnx = tmp_path / "onnx"
    write_tiny_model(double.onnx)
    model = onnx.load(str(double.onnx / "search.onnx"))
    (weight,) = [weight for weight in model.graph.initializer if weight.name == "cls.weight"]
    weight.raw_data = (-np.abs(numpy_helper.to_array(weight))).tobytes()
    onnx.save(model, str(double.onnx / "search.onnx"))
    folder = write_calibration(tmp_path / "calibration", double.onnx, samples=2)
    search = job(double, folder)
    for _ in range(2):  # the second build finds nothing to start from
        with pytest.raises(ArtifactError, match=r"the scale 0 to feature_cls\n  try: --calibrator ranges"):
            builder.build_graph(search, THEIRS)
        assert not list(double.out.glob("*"))
    builder.build_graph(search, TensorrtOptions())
    assert search.out.exists()


def test_an_unreadable_sample_is_not_lost(board, calibration, tmp_path, capfd):
    double = board()
    folder = write_calibration(tmp_path / "c", double.onnx, samples=3)
    (folder / "samples" / "search" / "0001.png").write_bytes(b"no image")
    with pytest.raises(ArtifactError, match=r"0001\.png is no uint8 crop"):
        builder.build_graph(job(double, folder), THEIRS)
    assert "Exception caught in get_batch()" in capfd.readouterr().err
    assert not (double.out / "search.plan").exists()
    assert not list(double.out.glob("*.cache"))
    assert double.cudart.memory == {}


def test_no_memory_for_a_sample_is_told(board, calibration):
    double = board()
    double.cudart.free_bytes = 0
    with pytest.raises(InferenceError, match=r"allocating 0\.8 MB: out of memory"):
        builder.build_graph(job(double, calibration), THEIRS)


def test_a_bug_in_the_calibrator_keeps_its_traceback(board, calibration, monkeypatch):
    double = board()

    def buggy(path, shape):
        raise ZeroDivisionError

    monkeypatch.setattr("engines.tensorrt.upload.read_sample", buggy)
    with pytest.raises(ZeroDivisionError):
        builder.build_graph(job(double, calibration), THEIRS)


def test_a_calibration_that_ends_early_is_an_error(tmp_path):
    batches = Batches([lambda: 1, lambda: 2], tmp_path / "c.cache", "8.5.2.2")
    cache = calibration_cache.serialize({"search": 1.0}, "8.5.2.2")
    assert batches.next_batch(["search"]) == [1]
    with pytest.raises(BuildError, match="stopped after 1 of 2 samples"):
        batches.write_cache(cache)
    assert batches.next_batch(["search"]) == [2]
    assert batches.next_batch(["search"]) is None
    with pytest.raises(
        BuildError, match=r"took 2 of 2 samples and made no calibration cache .*\n.*--calibrator ranges"
    ):
        batches.require_complete()
    batches.write_cache(cache)
    batches.require_complete()
    with pytest.raises(BuildError, match=r"asks for the inputs \['a', 'b'\]"):
        batches.next_batch(["a", "b"])


def test_a_long_calibration_shows_how_far_it_is(tmp_path, caplog):
    batches = Batches([lambda: 1] * 250, tmp_path / "c.cache", "8.5.2.2")
    with caplog.at_level(logging.INFO):
        while batches.next_batch(["search"]):
            pass
    assert [record.getMessage() for record in caplog.records] == [
        "calibrating, 100 of 250 samples",
        "calibrating, 200 of 250 samples",
    ]


def test_a_cache_that_tensorrt_hands_back_is_left_as_it_is(tmp_path):
    cache = calibration_cache.serialize({"search": 1.0}, "8.5.2.2")
    (tmp_path / "c.cache").write_bytes(cache)
    batches = Batches([lambda: 1], tmp_path / "c.cache", "8.5.2.2")
    assert batches.read_cache() == cache
    batches.write_cache(calibration_cache.serialize({"search": 2.0}, "8.5.2.2"))
    batches.require_complete()
    assert (tmp_path / "c.cache").read_bytes() == cache


def test_a_refused_build_keeps_its_own_reason(board, calibration):
    for options in (TensorrtOptions(), THEIRS):
        with pytest.raises(BuildError, match=r"^TensorRT 8.5.2.2 cannot build target.plan: .*Could not find any"):
            board(build_fails=True).build(THREE, ranges=calibration, tensorrt=options)


def test_the_double_crashes_without_the_base_constructor():
    trt = make("8.5.2.2", Cudart())

    class Forgetful(trt.IInt8EntropyCalibrator2):
        def __init__(self):
            pass

    with pytest.raises(SystemError, match="Segmentation fault"):
        trt.Builder(object()).create_builder_config().int8_calibrator = Forgetful()


@pytest.mark.parametrize(("backend", "ranges"), [("onnxruntime", True), ("tensorrt", False)])
def test_a_calibrator_that_would_be_ignored_is_refused(board, calibration, backend, ranges):
    double = board()
    precision = GraphPrecisions.parse("int8" if ranges else "fp16")
    with pytest.raises(UsageError, match="--calibrator tensorrt is of use only to --backend tensorrt"):
        build(double.onnx, double.out, backend, precision, "", THEIRS, ranges=calibration if ranges else None)
