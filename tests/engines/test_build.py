from __future__ import annotations

import json
import shutil
from collections import Counter

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from engines.__main__ import arguments, main
from engines.graph import GraphJob, read_graph
from engines.int8 import Int8
from engines.onnxruntime import builder as onnx_runtime
from siamtrt import ArtifactError, BuildError, GraphPrecisions, Manifest, ModelCard, Precision, UsageError, cli
from siamtrt.libraries.onnxruntime import open_session
from siamtrt.ranges import Ranges, file_name
from tests.built import build
from tests.calibrated import write_calibration
from tests.tiny import write_tiny_model


def built(onnx_folder, out, precision="fp32", command="make engines"):
    return build(onnx_folder, out, "onnxruntime", GraphPrecisions.parse(precision), command)


def test_the_folder_is_self_contained_and_proved(tmp_path, tiny_onnx):
    manifest = built(tiny_onnx, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "manifest.json",
        "model.json",
        "search.onnx",
        "target.onnx",
        "xcorr.onnx",
    ]
    assert Manifest.load(tmp_path / "out", stage="engines") == manifest
    assert ModelCard.load(tmp_path / "out") == ModelCard.load(tiny_onnx)
    assert manifest.settings["precision"] == "target=fp32,search=fp32,xcorr=fp32"
    assert str(tiny_onnx / "search.onnx") in manifest.parents


def test_fp16_carries_half_weights_between_float32_borders(tmp_path, tiny_onnx):
    built(tiny_onnx, tmp_path / "out", "target=fp32,search=fp16,xcorr=fp16")
    kinds = {}
    for name in ("target", "search", "xcorr"):
        graph = onnx.load(str(tmp_path / "out" / f"{name}.onnx")).graph
        kinds[name] = {weight.data_type for weight in graph.initializer if len(weight.dims) == 4}
        borders = {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
        assert borders == {TensorProto.FLOAT}
        if name == "xcorr":
            assert {"kernel_cls", "kernel_loc"} <= {weight.name for weight in graph.initializer}
    assert kinds == {"target": {TensorProto.FLOAT}, "search": {TensorProto.FLOAT16}, "xcorr": {TensorProto.FLOAT16}}


def test_fp16_is_close_to_fp32_but_not_equal(tmp_path, tiny_onnx):
    outputs = []
    for precision in ("fp32", "fp16"):
        built(tiny_onnx, tmp_path / precision, precision)
        session = onnxruntime.InferenceSession(
            str(tmp_path / precision / "search.onnx"), providers=["CPUExecutionProvider"]
        )
        crop = np.random.default_rng(0).integers(0, 256, (1, 3, 255, 255)).astype(np.float32)
        outputs.append(session.run(["feature_cls"], {"search": crop})[0])
    difference = np.abs(outputs[0] - outputs[1]).max() / np.ptp(outputs[0])
    assert 0 < difference < 5e-3


def test_int8_says_what_is_missing(tmp_path, tiny_onnx):
    with pytest.raises(
        UsageError, match=r"search cannot be built in INT8 without activation ranges(.|\n)*python -m calibration --onnx"
    ):
        built(tiny_onnx, tmp_path / "out", "int8")
    assert not (tmp_path / "out" / "manifest.json").exists()


@pytest.fixture(scope="module")
def calibration(tmp_path_factory, tiny_onnx):
    return write_calibration(
        tmp_path_factory.mktemp("calibration") / "calibration", tiny_onnx, sources=["clip", "road"]
    )


THREE = "target=int8,search=int8,xcorr=int8"


def int8(onnx_folder, out, calibration, *, precision=THREE, keep=()):
    precisions = GraphPrecisions.parse(precision)
    return build(onnx_folder, out, "onnxruntime", precisions, "make engines", ranges=calibration, keep=keep)


def executed(path):
    """How many nodes of each type ONNX Runtime really runs."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path.with_suffix(".optimized"))
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)


def test_int8_leaves_the_correlations_in_float_and_int8_all_does_not(tmp_path, tiny_onnx, calibration):
    for precision, floats in ((THREE, 4), ("int8-all", 2)):  # the last convolutions never are integers
        int8(tiny_onnx, tmp_path / precision, calibration, precision=precision)
        counts = {name: executed(tmp_path / precision / f"{name}.onnx") for name in ("target", "search", "xcorr")}
        assert [counts[name]["QLinearConv"] for name in counts] == [3, 3, 4 - floats]
        assert sum(counts["xcorr"][kind] for kind in ("Conv", "FusedConv")) == floats


def test_int8_alone_leaves_the_target_graph_in_float(tmp_path, tiny_onnx, calibration):
    int8(tiny_onnx, tmp_path, calibration, precision="int8")
    counts = {name: executed(tmp_path / f"{name}.onnx")["QLinearConv"] for name in ("target", "search", "xcorr")}
    assert counts == {"target": 0, "search": 3, "xcorr": 0}


def test_int8_records_where_its_ranges_come_from(tmp_path, tiny_onnx, calibration):
    manifest = int8(tiny_onnx, tmp_path / "out", calibration, keep=["stemmed", "xcorr:loc"])
    assert manifest.settings["calibration_sources"] == ["clip", "road"]
    assert manifest.settings["keep"] == ["search:stemmed", "target:stemmed", "xcorr:loc"]
    assert str(calibration / "search.ranges.json") in manifest.parents
    assert executed(tmp_path / "out" / "search.onnx")["QLinearConv"] == 2


def test_int8_is_close_to_fp32(tmp_path, tiny_onnx, calibration):
    int8(tiny_onnx, tmp_path / "out", calibration)
    crop = cv2.imread(str(calibration / "samples" / "search" / "00001.png")).transpose(2, 0, 1)[None].astype(np.float32)
    maps = [
        onnxruntime.InferenceSession(str(folder / "search.onnx"), providers=["CPUExecutionProvider"]).run(
            ["feature_cls"], {"search": crop}
        )[0]
        for folder in (tiny_onnx, tmp_path / "out")
    ]
    assert 0 < ((maps[0] - maps[1]) ** 2).mean() / (maps[0] ** 2).mean() < 1e-3


def test_biases_are_corrected_on_as_many_crops_as_asked(tmp_path, tiny_onnx, calibration, monkeypatch):
    asked = []

    def spy(model, samples, quantize, raw_outputs):
        asked.append((sorted(samples[0]), len(samples)))
        return model

    monkeypatch.setattr(onnx_runtime, "correct_biases", spy)
    precisions = GraphPrecisions.parse(THREE)
    for wish, kept in ((2, 2), (0, 0), (None, 16)):
        manifest = build(
            tiny_onnx, tmp_path / "out", "onnxruntime", precisions, "", ranges=calibration, correction_samples=wish
        )
        assert manifest.settings["correction_samples"] == kept
    assert asked == [(["template"], 2), (["search"], 2), (["template"], 3), (["search"], 3)]  # 3 is all there are
    with pytest.raises(UsageError, match="cannot be corrected on -1 crops"):
        build(tiny_onnx, tmp_path / "out", "onnxruntime", precisions, "", ranges=calibration, correction_samples=-1)
    with pytest.raises(UsageError, match="corrected in INT8 only"):
        build(tiny_onnx, tmp_path / "out", "onnxruntime", GraphPrecisions.parse("fp16"), "", correction_samples=4)


def test_an_int8_job_reads_its_ranges_once(tmp_path, tiny_onnx, calibration, monkeypatch):
    read = []
    original = Ranges.load
    monkeypatch.setattr(Ranges, "load", lambda path, *, onnx: read.append(path.name) or original(path, onnx=onnx))
    int8(tiny_onnx, tmp_path / "out", calibration, precision="target=fp32,search=int8,xcorr=int8")
    assert read == ["search.ranges.json", "xcorr.ranges.json"]


def test_a_graph_in_int8_plans_its_integers_once(tmp_path, tiny_onnx, calibration, monkeypatch):
    planned = []
    original = onnx_runtime.integer_nodes
    monkeypatch.setattr(onnx_runtime, "integer_nodes", lambda graph: planned.append(graph.name) or original(graph))
    int8(tiny_onnx, tmp_path / "out", calibration, keep=["stemmed"])
    assert planned == ["target", "search", "xcorr"]


def test_a_job_in_int8_cannot_be_without_ranges(tmp_path, tiny_onnx, calibration):
    source = tiny_onnx / "search.onnx"
    card, ranges = (
        ModelCard.load(tiny_onnx).graph("search"),
        Ranges.load(calibration / file_name("search"), onnx=source),
    )
    for precision, more in ((Precision.INT8, {}), (Precision.FP32, {"int8": Int8(ranges)})):
        with pytest.raises(ValueError, match=f"search in {precision.value} with activation ranges"):
            GraphJob(source, card, precision, tmp_path / "out.onnx", **more)


def test_ranges_of_another_model_are_refused(tmp_path, calibration):
    write_tiny_model(tmp_path / "other", seed=3)
    with pytest.raises(ArtifactError, match=r"measured on another graph(.|\n)*python -m calibration"):
        int8(tmp_path / "other", tmp_path / "out", calibration)


def test_an_unfinished_calibration_is_refused(tmp_path, tiny_onnx, calibration):
    shutil.copytree(calibration, tmp_path / "unfinished")
    (tmp_path / "unfinished" / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match="not a finished calibration folder"):
        int8(tiny_onnx, tmp_path / "out", tmp_path / "unfinished")


def test_a_layer_no_graph_has_is_refused(tmp_path, tiny_onnx, calibration):
    for unknown in ("nowhere", "xcorr:stemmed"):
        with pytest.raises(
            UsageError, match=f"no INT8 graph has a layer '{unknown}'(.|\n)*python -m engines.sensitivity "
        ):
            int8(tiny_onnx, tmp_path / "out", calibration, keep=[unknown])


def test_a_layer_that_is_no_integers_cannot_be_kept(tmp_path, tiny_onnx, calibration):
    graph = onnx.load(str(tiny_onnx / "target.onnx"))
    (transpose,) = [node for node in graph.graph.node if node.output[0] == "kernel_cls"]
    transpose.name = "turn"
    (tmp_path / "target.onnx").write_bytes(graph.SerializeToString())
    int8_job = Int8(Ranges.load(calibration / file_name("target"), onnx=tiny_onnx / "target.onnx"), ("turn",))
    card = ModelCard.load(tiny_onnx).target
    job = GraphJob(tmp_path / "target.onnx", card, Precision.INT8, tmp_path / "out.onnx", int8=int8_job)
    with pytest.raises(UsageError, match="computes turn in no integers, so keeping it has no effect"):
        onnx_runtime.build_graph(job)
    assert not job.out.exists()
    int8(tiny_onnx, tmp_path / "out", calibration, keep=["xcorr:correlation_cls"])  # in float already, which is no harm


def test_ranges_without_int8_are_refused(tmp_path, tiny_onnx, calibration):
    with pytest.raises(UsageError, match=r"no graph of .* is INT8"):
        int8(tiny_onnx, tmp_path / "out", calibration, precision="fp16")


def test_kernels_that_are_inputs_are_not_correlated_in_int8(tmp_path):
    write_tiny_model(tmp_path / "onnx", kernel_inputs=True)
    write_calibration(tmp_path / "calibration", tmp_path / "onnx")
    with pytest.raises(UsageError, match="takes its kernels as inputs"):
        int8(tmp_path / "onnx", tmp_path / "out", tmp_path / "calibration", precision="int8-all")
    int8(tmp_path / "onnx", tmp_path / "out", tmp_path / "calibration")


def test_engines_cannot_overwrite_their_graphs(tmp_path, tiny_onnx):
    shutil.copytree(tiny_onnx, tmp_path / "onnx")
    with pytest.raises(UsageError, match="overwrite them"):
        built(tmp_path / "onnx", tmp_path / "somewhere" / ".." / "onnx")
    Manifest.load(tmp_path / "onnx", stage="export")


@pytest.mark.parametrize(
    "option", [["--timing-cache", "t"], ["--compute-capability", "8.9"], ["--workspace-mib", "64"]]
)
def test_an_option_of_another_backend_is_refused(tmp_path, tiny_onnx, capsys, option):
    argv = ["--quiet", "--onnx", str(tiny_onnx), "--out", str(tmp_path / "out"), *option]
    assert cli.run(main, arguments(), argv) == 2
    assert f"{option[0]} is of no use to --backend onnxruntime" in capsys.readouterr().err


def test_a_changed_graph_is_refused(tmp_path, tiny_onnx):
    shutil.copytree(tiny_onnx, tmp_path / "onnx")
    (tmp_path / "onnx" / "search.onnx").write_bytes(b"tampered")
    with pytest.raises(ArtifactError, match="not the file its manifest describes"):
        built(tmp_path / "onnx", tmp_path / "out")


def test_a_truncated_graph_is_refused(tmp_path, tiny_onnx):
    data = (tiny_onnx / "search.onnx").read_bytes()
    (tmp_path / "search.onnx").write_bytes(data[: len(data) // 2])
    with pytest.raises(ArtifactError, match="not a whole ONNX graph"):
        read_graph(tmp_path / "search.onnx")


def test_a_graph_onnxruntime_cannot_run_is_refused():
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("NoSuchOperator", ["x"], ["y"])],
        "g",
        [onnx.helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [onnx.helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=7)
    with pytest.raises(BuildError, match="cannot run"):
        open_session(model.SerializeToString())


def test_a_silent_fall_back_is_an_error(tiny_onnx, monkeypatch):
    monkeypatch.setattr("siamtrt.libraries.onnxruntime.PROVIDER", "CUDAExecutionProvider")
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"), pytest.raises(BuildError, match="chose"):
        open_session(tiny_onnx / "search.onnx")


def test_the_command_prints_its_folder_and_records_itself(tmp_path, tiny_onnx, capsys):
    argv = ["--quiet", "--onnx", str(tiny_onnx), "--out", str(tmp_path / "out"), "--precision", "fp16"]
    assert cli.run(main, arguments(), argv) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out'}\n"
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["settings"]["backend"] == "onnxruntime"
