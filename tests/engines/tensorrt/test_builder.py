from __future__ import annotations

import logging
import re
import time
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from engines.graph import GraphJob
from engines.tensorrt import builder
from engines.tensorrt.building import Building, TensorrtOptions, heartbeat
from runtime.open_engines import open_locators
from siamtrt import BuildError, Manifest, MissingDependencyError, ModelCard, Precision, UsageError
from siamtrt.libraries import tensorrt as library
from tests.doubles.tensorrt.cudart import Cudart
from tests.doubles.tensorrt.trt import make


@pytest.mark.parametrize("version", ["8.5.2.2", "8.6.1", "10.0.1", "10.16.1"])
def test_only_xcorr_is_refittable_and_fp16_is_a_flag(board, version):
    double = board(version)
    manifest = double.build("target=fp32,search=fp16,xcorr=fp32")
    assert [built["flags"] for built in double.trt.log_of_builds] == [[], ["FP16"], ["REFIT"]]
    assert {built["workspace"] for built in double.trt.log_of_builds} == {1 << 30}
    assert manifest.environment["tensorrt"] == version
    assert manifest.environment["compute_capability"] == "7.2"
    assert set(manifest.files) == {"model.json", "target.plan", "search.plan", "xcorr.plan", "xcorr.onnx"}
    assert Manifest.load(double.out, stage="engines") == manifest


def test_settings_reach_the_builder_and_the_manifest(board):
    double = board()
    manifest = double.build(tensorrt=TensorrtOptions(workspace_mib=64))
    assert {built["workspace"] for built in double.trt.log_of_builds} == {64 << 20}
    assert manifest.settings["workspace_mib"] == 64


def test_a_timing_cache_of_another_library_costs_only_time(board, tmp_path, caplog):
    double = board()
    options = TensorrtOptions(timing_cache=tmp_path / "cache")
    double.build(tensorrt=options)
    (cache,) = (tmp_path / "cache").iterdir()
    assert re.match(r"8\.5\.2\.2-7\.2-.*\.timing", cache.name)
    cache.write_bytes(b"of another library")
    (double.out / "manifest.json").unlink()
    double.build(tensorrt=options)
    assert "refused the timing cache" in caplog.text
    assert cache.read_bytes().startswith(b"8.5.2.2")


def test_each_power_mode_has_its_timing_cache(board, tmp_path, monkeypatch):
    double = board()
    for mode in ("0000", "0003", "0000"):
        machine = {"board": "Jetson-AGX Xavier", "power_mode": mode}
        monkeypatch.setattr(builder, "describe", lambda machine=machine: machine)
        double.build(tensorrt=TensorrtOptions(timing_cache=tmp_path / "cache"))
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == [
        "8.5.2.2-7.2-Jetson-AGX_Xavier-0000.timing",
        "8.5.2.2-7.2-Jetson-AGX_Xavier-0003.timing",
    ]


def test_an_interrupted_build_resumes_on_the_same_library_only(board):
    double = board()
    (double.out).mkdir()
    (double.out / "xcorr.plan").mkdir()
    with pytest.raises(Exception, match=r"xcorr\.plan"):
        double.build()
    (double.out / "xcorr.plan").rmdir()
    double.trt.log_of_builds.clear()
    double.build()
    assert len(double.trt.log_of_builds) == 1


def test_a_refused_build_says_why(board):
    with pytest.raises(BuildError, match=r"target\.plan: .*Could not find any implementation for node search_17"):
        board(build_fails=True).build()


def test_every_parser_error_is_told():
    trt = make("8.5.2.2", Cudart())
    branch = helper.make_graph([], "branch", [], [])
    nodes = [helper.make_node("If", ["c"], [name], then_branch=branch, else_branch=branch) for name in "ab"]
    value = helper.make_tensor_value_info("c", TensorProto.BOOL, [1])
    model = helper.make_model(helper.make_graph(nodes, "g", [value], []))
    with pytest.raises(BuildError, match="no importer for If; no importer for If"):
        Building.of(trt, trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH, model, Path("g.onnx"), TensorrtOptions())


def test_a_kernel_that_is_not_a_weight_is_found_at_build_time(board, tmp_path, tiny_onnx):
    board()
    job = GraphJob(
        tiny_onnx / "xcorr.onnx",
        ModelCard.load(tiny_onnx).graph("xcorr"),
        Precision.FP32,
        tmp_path / "x.plan",
        ("kernel_other",),
    )
    with pytest.raises(BuildError, match="no replaceable weights called kernel_other"):
        builder.build_graph(job, TensorrtOptions())
    assert not job.out.exists()


def test_int8_is_refused(board):
    with pytest.raises(UsageError, match="cannot be built in INT8 without activation ranges"):
        board().build("int8")


@pytest.mark.parametrize("version", ["8.4.1", "8.2.1", "11.0.0"])
def test_other_versions_are_refused(board, version):
    with pytest.raises(MissingDependencyError, match=re.escape(f"TensorRT {version} is installed")):
        # The double of 8.5 stands for 8.2 and 8.4 too: the version is asked before anything is called.
        board(version).build()


def test_a_missing_binding_tells_how_to_install_it(board, monkeypatch):
    import sys

    double = board()
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingDependencyError, match="apt install python3-libnvinfer"):
        double.build()


def test_the_logger_forwards_all_and_keeps_errors(caplog):
    trt = make("8.5.2.2", Cudart())
    logger = library.make_logger(trt)
    with caplog.at_level(logging.DEBUG):
        for severity in trt.ILogger.Severity:
            logger.log(severity, severity.name.lower())
    assert logger.problems == ["internal_error", "error"]
    assert [record.getMessage() for record in caplog.records] == [
        "TensorRT: internal_error",
        "TensorRT: error",
        "TensorRT: warning",
        "TensorRT: info",
        "TensorRT: verbose",
    ]


def test_a_long_build_shows_that_it_lives(caplog):
    with caplog.at_level(logging.INFO), heartbeat("search.plan", period_s=0.02):
        time.sleep(0.2)
    assert "building search.plan, 0 s so far" in caplog.text


def test_the_runtime_opens_the_folder(board):
    double = board()
    double.build("fp16")
    (locator,) = open_locators(double.out)
    assert locator.card.name == "tiny"


def test_the_plan_is_the_exported_graph(board, tiny_onnx):
    double = board()
    double.build()
    data = (double.out / "search.plan").read_bytes().partition(b"\n")[2]
    assert onnx.load_from_string(data) == onnx.load(str(tiny_onnx / "search.onnx"))


def test_features_lie_in_half_precision_on_both_sides_and_nothing_else_does(board):
    double = board()
    double.build("fp16", tensorrt=TensorrtOptions(features="hwc8"))
    wide = {"feature_cls": ["HALF", "HWC8"], "feature_loc": ["HALF", "HWC8"]}
    assert [built["io"] for built in double.trt.log_of_builds] == [{}, wide, wide]


@pytest.mark.parametrize("precision", ["target=fp16,search=fp32,xcorr=fp16", "target=fp16,search=fp16,xcorr=fp32"])
def test_fp32_has_no_features_in_half_precision(board, precision):
    with pytest.raises(UsageError, match="in fp32 has no features in hwc8"):
        board().build(precision, tensorrt=TensorrtOptions(features="hwc8"))
