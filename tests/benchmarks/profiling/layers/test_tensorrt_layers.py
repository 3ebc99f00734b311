"""Layers of a TensorRT plan: the inspector's JSON as its documentation shows it, and whole runs on the double."""

from __future__ import annotations

import json

import pytest

from benchmarks.__main__ import COMMANDS
from benchmarks.profiling.layers import tables, tensorrt_profile
from benchmarks.profiling.layers.layer_report import LayerReport
from benchmarks.profiling.layers.tensorrt_layers import layers
from siamtrt import ArtifactError, EngineMismatchError, Manifest, ModelCard, UsageError, cli
from tests.calibrated import write_calibration

INT8 = "Thirty-two wide channel vectorized row major Int8 format."
CONVOLUTION = {
    "Name": "conv + relu",
    "LayerType": "CaskConvolution",
    "Inputs": [{"Name": "a", "Dimensions": [1, 512, 28, 28], "Format/Datatype": INT8}],
    "Outputs": [{"Name": "b", "Dimensions": [1, 256, 28, 28], "Format/Datatype": INT8}],
    "ParameterType": "Convolution",
    "Kernel": [1, 1],
    "OutMaps": 256,
    "Groups": 1,
    "Weights": {"Type": "Int8", "Count": 131072},
    "Bias": {"Type": "Float", "Count": 256},
}


def run(*argv):
    return cli.run_table("benchmarks", "", COMMANDS, ["--quiet", "layers", *map(str, argv)])


def one(**changes):
    entry = {**CONVOLUTION, **changes}
    return layers(
        json.dumps({"Layers": [entry], "Bindings": []}), [[(entry["Name"], ms)] for ms in (3.0, 1.0, 2.0)], "search"
    )[0]


def test_a_fused_convolution_tells_its_work_and_traffic():
    layer = one()
    assert (layer.graph, layer.name, layer.type, layer.precision) == ("search", "conv + relu", "Convolution", "int8")
    assert layer.output_shape == (1, 256, 28, 28)
    assert layer.ms_p50 == 2.0
    assert layer.macs == 512 * 256 * 28 * 28
    assert layer.bytes == (512 + 256) * 28 * 28 + 131072 + 4 * 256


def test_a_kernel_that_is_an_input_counts_as_a_weight():
    inputs = [*CONVOLUTION["Inputs"], {"Name": "k", "Dimensions": [512, 1, 5, 5], "Format/Datatype": "Half"}]
    layer = one(Inputs=inputs, Weights={"Type": "Half", "Count": 0}, Bias=None)
    assert layer.macs == 512 * 25 * 28 * 28
    assert layer.bytes == (512 + 256) * 28 * 28 + 2 * 512 * 25


def test_a_matrix_product_counts_its_inner_side():
    inputs = [{"Dimensions": [1, 64], "Format/Datatype": "Float"}, {"Dimensions": [64, 10], "Format/Datatype": "Float"}]
    outputs = [{"Dimensions": [1, 10], "Format/Datatype": "Float"}]
    nothing = {"ParameterType": None, "Weights": None, "Bias": None}
    assert one(LayerType="MatrixMultiply", Inputs=inputs, Outputs=outputs, **nothing).macs == 640
    assert one(LayerType="Reformat", Inputs=inputs, Outputs=outputs, **nothing).macs == 0


@pytest.mark.parametrize(
    ("text", "precision"),
    [
        (INT8, "int8"),
        ("Channel major FP16 format where channel % 8 == 0", "float16"),
        ("Row major linear FP32", "float32"),
        ("Row major linear BF16", "bfloat16"),
        ("Half", "float16"),
        ("Float", "float32"),
        ("Int32", "int32"),
        ("N/A due to dynamic shapes", "unknown"),
    ],
)
def test_the_words_of_each_version_are_known(text, precision):
    assert one(Outputs=[{"Dimensions": [1, 2, 3, 3], "Format/Datatype": text}]).output_precision == precision


def test_a_layer_the_inspector_does_not_know_keeps_its_time():
    (layer,) = layers(json.dumps({"Layers": [CONVOLUTION]}), [[("other", 4.0)]], "search")
    assert (layer.name, layer.type, layer.precision, layer.ms_p50, layer.macs) == (
        "other",
        "unknown",
        "unknown",
        4.0,
        0,
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"Layers": [[]]}'])
def test_what_is_no_inspection_is_refused(text):
    with pytest.raises(ArtifactError, match="inspector gave no JSON of layers for search"):
        layers(text, [[("a", 1.0)]], "search")
    with pytest.raises(ArtifactError, match="profiler reported no layer"):
        layers(json.dumps({"Layers": [CONVOLUTION]}), [], "search")


@pytest.mark.parametrize(
    ("version", "precision"), [("8.5.2.2", "fp32"), ("8.5.2.2", "int8"), ("10.0.1", "fp16"), ("10.16.1", "fp16")]
)
def test_the_command_writes_the_report_all_backends_write(board, tmp_path, version, precision, capsys):
    double = board(version)
    ranges = write_calibration(tmp_path / "c", double.onnx) if precision == "int8" else None
    double.build(precision, ranges=ranges)
    assert run("--engines", double.out, "--runs", 3, "--out", tmp_path / "r.json") == 0
    assert double.cudart.memory == {}
    report = LayerReport.load(tmp_path / "r.json")
    assert report.title.startswith("tiny tensorrt")
    by_name = {layer.name: layer for layer in report.layers}
    assert by_name["stemmed + active"].ms_p50 == (1.0 if precision == "fp32" else 2.0)  # behind a reformat
    assert by_name["correlation_cls"].macs == 8 * 25 * 25 * 25
    of = {"fp32": "float32", "fp16": "float16"}.get(precision, "int8")
    assert {layer.precision for layer in report.layers if layer.macs and layer.graph == "search"} == {of}
    assert by_name["cls.raw + feature_cls"].output_precision == "float32"  # what a graph puts out
    totals = {}
    for layer in report.layers:
        totals[layer.graph] = totals.get(layer.graph, 0) + layer.macs
    stem = 8 * 3 * 64
    assert totals == {
        "target": stem * 15 * 15 + 2 * 8 * 8 * 121 * 5 * 5,
        "search": stem * 31 * 31 + 2 * 8 * 8 * 9 * 29 * 29,
        "xcorr": 2 * 8 * 25 * 25 * 25 + (10 + 20) * 8 * 25 * 25,
    }
    assert "Convolution" in capsys.readouterr().out
    shares = [entry["share"] for entry in json.loads((tmp_path / "r.json").read_text())["layers"]]
    assert sum(shares) == pytest.approx(3)
    assert set(double.trt.log_of_nvtx) == {"NONE"}  # layers are timed as they run


def test_warm_up_runs_do_not_count(board, monkeypatch):
    double = board()
    double.build()
    seen = []
    monkeypatch.setattr(tensorrt_profile, "layers", lambda text, durations, graph: seen.append(durations) or [])
    tensorrt_profile.profile(
        double.out / "search.plan",
        ModelCard.load(double.out).graph("search"),
        3,
        Manifest.load(double.out, stage="engines"),
    )
    assert len(seen[0]) == 3
    assert double.cudart.count("cudaStreamSynchronize") == 8


def test_a_plan_without_details_is_to_be_built_anew():
    with pytest.raises(UsageError, match=r"does not tell its layers(.|\n)*build the engines anew"):
        layers(json.dumps({"Layers": ["conv", "relu"]}), [[("conv", 1.0)]], "search")


def test_layers_of_one_name_keep_their_own_times():
    second = {**CONVOLUTION, "Weights": {"Type": "Half", "Count": 4}}
    name = CONVOLUTION["Name"]
    information = json.dumps({"Layers": [CONVOLUTION, second]})
    found = layers(information, [[(name, 1.0), (name, 9.0)], [(name, 3.0), (name, 7.0)]], "search")
    assert [(layer.ms_p50, layer.precision) for layer in found] == [(2.0, "int8"), (8.0, "float16")]
    with pytest.raises(ArtifactError, match="other layers of search from run to run"):
        layers(information, [[(name, 1.0)], []], "search")


def test_a_plan_of_another_tensorrt_is_refused(board):
    double = board()
    double.build()
    board("8.6.1")
    with pytest.raises(
        EngineMismatchError, match=r"cannot load .*search\.plan: The engine plan file is not compatible"
    ):
        tensorrt_profile.profile(
            double.out / "search.plan",
            ModelCard.load(double.out).graph("search"),
            3,
            Manifest.load(double.out, stage="engines"),
        )


@pytest.mark.parametrize("name", ["conv", "conv + relu", "conv + PWN(s, m)", "PWN(conv, relu)", "conv || twin"])
def test_a_fused_layer_meets_its_twin_of_another_backend(name):
    assert tables.layer_key(one(Name=name)) == ("search", "conv")
