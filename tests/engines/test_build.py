from __future__ import annotations

import json
import shutil

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from engines import onnx_runtime
from engines.__main__ import _arguments, main
from engines.build import build
from siamtrt import ArtifactError, BuildError, GraphPrecisions, Manifest, ModelCard, UsageError, cli
from siamtrt.session import open_session


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
        UsageError, match=r"target cannot be built in INT8 without activation ranges(.|\n)*python -m calibration --onnx"
    ):
        built(tiny_onnx, tmp_path / "out", "int8")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_an_interrupted_build_resumes(tmp_path, tiny_onnx, monkeypatch):
    attempts = []
    original = onnx_runtime.build_graph

    def failing(job):
        attempts.append(job.graph)
        if job.graph == "xcorr" and len(attempts) == 3:
            raise KeyboardInterrupt
        original(job)

    monkeypatch.setattr(onnx_runtime, "build_graph", failing)
    with pytest.raises(KeyboardInterrupt):
        built(tiny_onnx, tmp_path / "out")
    with pytest.raises(ArtifactError, match="not a finished engines folder"):
        Manifest.load(tmp_path / "out", stage="engines")
    built(tiny_onnx, tmp_path / "out")
    assert attempts == ["target", "search", "xcorr", "xcorr"]


def test_other_settings_or_a_changed_engine_build_anew(tmp_path, tiny_onnx, monkeypatch):
    attempts = []
    original = onnx_runtime.build_graph

    def interrupted(job):
        attempts.append(job.graph)
        if len(attempts) == 3:
            raise KeyboardInterrupt
        original(job)

    monkeypatch.setattr(onnx_runtime, "build_graph", interrupted)
    with pytest.raises(KeyboardInterrupt):
        built(tiny_onnx, tmp_path / "out")
    (tmp_path / "out" / "target.onnx").write_bytes(b"damaged")
    built(tiny_onnx, tmp_path / "out")
    assert attempts[3:] == ["target", "xcorr"]
    built(tiny_onnx, tmp_path / "out", "fp16")
    assert attempts[5:] == ["target", "search", "xcorr"]


def test_a_changed_graph_is_refused(tmp_path, tiny_onnx):
    shutil.copytree(tiny_onnx, tmp_path / "onnx")
    (tmp_path / "onnx" / "search.onnx").write_bytes(b"tampered")
    with pytest.raises(ArtifactError, match="not the file its manifest describes"):
        built(tmp_path / "onnx", tmp_path / "out")


def test_a_truncated_graph_is_refused(tmp_path, tiny_onnx):
    data = (tiny_onnx / "search.onnx").read_bytes()
    (tmp_path / "search.onnx").write_bytes(data[: len(data) // 2])
    with pytest.raises(ArtifactError, match="not a whole ONNX graph"):
        onnx_runtime.read_graph(tmp_path / "search.onnx")


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
    monkeypatch.setattr("siamtrt.session.PROVIDER", "CUDAExecutionProvider")
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"), pytest.raises(BuildError, match="chose"):
        open_session(tiny_onnx / "search.onnx")


def test_the_command_prints_its_folder_and_records_itself(tmp_path, tiny_onnx, capsys):
    argv = ["--quiet", "--onnx", str(tiny_onnx), "--out", str(tmp_path / "out"), "--precision", "fp16"]
    assert cli.run(main, _arguments(), argv) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out'}\n"
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["settings"]["backend"] == "onnxruntime"
