from __future__ import annotations

import json
from dataclasses import replace

import onnxruntime
import pytest

from benchmarks.__main__ import COMMANDS
from benchmarks.profiling.layers.device import Device
from benchmarks.profiling.layers.layer_report import Layer, LayerReport
from benchmarks.profiling.layers.onnx_profile import layers
from benchmarks.profiling.layers.tables import bounds, role_key, table
from siamtrt import ArtifactError, GraphPrecisions, UsageError, cli
from tests.built import build
from tests.calibrated import write_calibration


def run(*argv):
    return cli.run_table("benchmarks", "", COMMANDS, ["--quiet", *map(str, argv)])


def layer(name="a", kind="Conv", graph="search", ms=1.0, macs=0, size=0):
    return Layer(graph, name, kind, "float32", (1, 8, 2, 2), ms, macs, size)


def report(*found, title="T", environment=None):
    return LayerReport(title, 3, found, environment or {}, {})


def test_a_real_profile_names_every_convolution_with_its_work(tiny_engines, tmp_path, capsys):
    assert run("layers", "--engines", tiny_engines, "--runs", 3, "--threads", 1, "--out", tmp_path / "r.json") == 0
    found = LayerReport.load(tmp_path / "r.json")
    assert {entry.graph for entry in found.layers} == {"target", "search", "xcorr"}
    correlation = next(entry for entry in found.layers if entry.graph == "xcorr" and "correlation_cls" in entry.name)
    assert correlation.macs == 8 * 25 * 25 * 25  # channels, cells, kernel: whatever the backend pads
    assert correlation.ms_p50 > 0
    assert correlation.precision == "float32"
    assert correlation.bytes >= 4 * (8 * 29 * 29 + 8 * 25 + 8 * 25 * 25)
    assert "Conv" in capsys.readouterr().out
    shares = [
        entry["share"] for entry in json.loads((tmp_path / "r.json").read_text())["layers"] if entry["graph"] == "xcorr"
    ]
    assert sum(shares) == pytest.approx(1)


def event(name, dur_us, op="Conv"):
    args = {
        "op_name": op,
        "input_type_shape": [{"float16": [1, 4, 9, 9]}, {"float16": [8, 4, 3, 3]}, {"float16": [8]}],
        "output_type_shape": [{"float16": [1, 8, 7, 7]}],
    }
    return {"cat": "Node", "name": f"{name}_kernel_time", "dur": dur_us, "args": args}


def test_profile_events_become_medians_without_the_warm_up():
    noise = {"cat": "Session", "name": "model_run", "dur": 9}
    events = [noise, event("a", 9000), event("b", 1), event("a", 1000), event("a", 3000), event("a", 2000)]
    first, second = layers(events, "search", runs=3, macs={"a": 14112}, weights={"a": 288})
    assert (first.name, first.ms_p50, first.precision) == ("a", 2.0, "float16")
    assert (first.macs, second.macs) == (14112, 0)
    assert first.bytes == 2 * (4 * 81 + 8 * 36 + 8 + 8 * 49)
    assert second.name == "b"
    with pytest.raises(ArtifactError, match="names no node"):
        layers([noise], "search", 3, {}, {})


def test_tables_sum_and_compare():
    one = report(layer("a", ms=1.0), layer("b", ms=2.0), layer("c", kind="Relu", ms=0.5), title="one")
    other = report(layer("a", ms=0.5), layer("b", ms=1.0), layer("d", kind="Cast", ms=0.1), title="other")
    lines = table([one, other], "type").splitlines()
    assert lines[0] == "1: one"
    assert lines[3].split() == ["search", "all", "layers", "3.5000", "1.6000", "0.46"]
    assert lines[4].split() == ["search", "Conv", "3.0000", "1.5000", "0.50"]
    assert lines[5].split() == ["search", "Relu", "0.5000", "-", "-"]
    assert lines[6].split() == ["search", "Cast", "-", "0.1000", "-"]
    assert table([one], "graph").splitlines()[-1].split() == ["search", "3.5000"]
    alone = table([one], "layer").splitlines()
    assert (alone[0], alone[1].split()) == ("one", ["graph", "layer", "ms"])
    assert alone[3].split() == ["search", "b", "2.0000"]


def test_an_integer_convolution_meets_the_one_in_floating_point():
    fp32 = report(layer("a", ms=2.0), layer("b", kind="Add", ms=1.0), layer("c", kind="ReorderInput", ms=0.5))
    int8 = report(
        layer("a", "QLinearConv", ms=1.0), layer("b", "QLinearAdd", ms=0.5), layer("d", "DequantizeLinear", ms=0.1)
    )
    rows = [line.split(maxsplit=5) for line in table([fp32, int8], "role").splitlines()[4:]]
    assert rows == [
        ["search", "convolution", "2.0000", "1.0000", "0.50", "Conv, QLinearConv"],
        ["search", "elementwise", "1.0000", "0.5000", "0.50", "Add, QLinearAdd"],
        ["search", "layout", "0.5000", "0.1000", "0.20", "ReorderInput, DequantizeLinear"],
    ]


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        *((kind, "convolution") for kind in ("FusedConv", "CaskConvolution", "Convolution")),
        *((kind, "product") for kind in ("FusedGemm", "MatMul", "QGemm")),
        *((kind, "pooling") for kind in ("GlobalAveragePool", "MaxPool", "Pooling", "ReduceMean")),
        *((kind, "layout") for kind in ("QuantizeLinear", "QLinearConcat", "Reformat", "Unsqueeze", "Cast")),
        *((kind, "elementwise") for kind in ("PointWise", "ElementWise", "HardSwish", "QLinearSigmoid", "Clip")),
        ("Unheard", "Unheard"),
    ],
)
def test_layers_of_either_backend_have_a_role(kind, role):
    assert role_key(layer(kind=kind)) == ("search", role)


def test_the_share_in_integers_is_of_a_frame():
    """The target graph runs once a target, so it does not count."""
    integers, floats = layer("a", "QLinearConv", macs=300), layer("b", macs=100)
    integers, once = replace(integers, precision="uint8"), replace(integers, graph="target")
    assert report(integers, floats, once).integer_share == 0.75
    assert report(layer("a", kind="Relu")).integer_share is None


def test_a_bound_is_the_longer_of_arithmetic_and_traffic():
    device = Device("d", 1.0, {"fp16": 2000.0}, 100.0, "test")
    assert device.bound_ms(layer(macs=4_000_000_000, size=1000), "fp16") == pytest.approx(2.0)
    assert device.bound_ms(layer(macs=1000, size=50_000_000), "fp16") == pytest.approx(0.5)


XAVIER = {"board": "Jetson-AGX", "cpu": None, "power_mode": "0000"}


def test_what_was_measured_on_the_device_stands_against_its_bound():
    card = Device.load("agx_xavier_maxn")
    near = layer("near", ms=1.1, macs=int(card.peak_gmacs["fp32"] * 1e6))
    far = layer("far", ms=5.0, size=int(card.memory_gb_s * 1e6))
    lines = bounds(report(near, far, environment=XAVIER), card, "fp16").splitlines()
    assert lines[1] == "farthest above their bound on Jetson AGX Xavier, MAXN"
    assert lines[3].split()[1:] == ["far", "0.0", "136500", "1.0000", "5.0000", "5.0"]
    assert lines[4].split()[1:] == ["near", "705.0", "0", "1.0000", "1.1000", "1.1"]  # float32, whatever is asked
    elsewhere = bounds(report(near, far, environment={"cpu": "AMD EPYC"}), card, "fp16")
    assert "computed, not measured" in elsewhere
    assert "no time stands against it: measured on another machine" in elsewhere
    assert "5.0000" not in elsewhere


@pytest.mark.parametrize(
    ("mode", "card", "why"),
    [
        ("0000", "maxn", None),
        ("0 MAXN", "maxn", None),
        ("0002", "15w", None),
        ("7 MODE_15W_DESKTOP", "15w", None),
        *((f"000{number}", "30w", None) for number in (3, 4, 5, 6)),
        ("0007", "maxn", "measured in power mode 7, not 0"),
        ("0001", "15w", "measured in power mode 1, not 2 or 7"),
        ("10", "30w", "measured in power mode 10, not 3 or 4 or 5 or 6"),
        (None, "maxn", "measured in a power mode that is not known"),
        ("MAXN", "maxn", "measured in a power mode that is not known"),
    ],
)
def test_times_of_another_power_mode_are_not_set_against_the_card(mode, card, why):
    card = Device.load(f"agx_xavier_{card}")
    assert card.foreign({**XAVIER, "power_mode": mode}) == why
    shown = bounds(report(layer(ms=5.0, size=1), environment={**XAVIER, "power_mode": mode}), card, "fp16")
    assert ("5.0000" in shown) == (why is None)
    assert ("computed, not measured" in shown) == (why is not None)
    assert why is None or f"no time stands against it: {why}" in shown
    assert card.foreign({"power_mode": mode}) == "measured on another machine"


@pytest.mark.parametrize("modes", [3, ["0"], [True], [1.5]])
def test_a_card_with_power_modes_that_are_no_numbers_is_refused(tmp_path, modes):
    fields = {"name": "n", "gpu_ghz": 1, "peak_gmacs": {}, "memory_gb_s": 1, "source": "s", "power_modes": modes}
    (tmp_path / "card.json").write_text(json.dumps(fields))
    with pytest.raises(ArtifactError, match="is not a device card"):
        Device.load(str(tmp_path / "card.json"))


def test_a_card_without_boards_is_taken_by_the_users_word():
    assert Device("mine", None, {"fp32": 1.0}, 1.0, "me").foreign({"cpu": "any", "power_mode": "0005"}) is None
    orin = {"board": "NVIDIA Jetson AGX Orin Developer Kit", "power_mode": "0000"}
    assert Device.load("agx_xavier_maxn").foreign(orin) == "measured on another machine"
    with pytest.raises(UsageError, match="has no int8"):
        Device("mine", None, {"fp32": 1.0}, 1.0, "me").peak("int8")


@pytest.mark.parametrize(
    ("mode", "ghz", "memory"), [("maxn", 1.377, 136.5), ("30w", 0.9, 102.4), ("15w", 0.67575, 85.3)]
)
def test_the_xaviers_cards(mode, ghz, memory):
    card = Device.load(f"agx_xavier_{mode}")
    assert (card.gpu_ghz, card.memory_gb_s) == (ghz, memory)
    peaks = {"fp32": 512 * ghz, "fp16": 64 * 64 * ghz, "int8": 64 * 128 * ghz}  # CUDA cores, tensor cores
    assert card.peak_gmacs == pytest.approx(peaks, abs=0.1)
    with pytest.raises(UsageError, match="unknown device 'toaster'\n  try: one of agx_orin_maxn, agx_xavier_15w"):
        Device.load("toaster")


@pytest.mark.parametrize(
    ("name", "sparse_tops", "memory", "board"),
    [
        ("agx_orin_maxn", 170, 204.8, "NVIDIA Jetson AGX Orin Developer Kit"),
        ("orin_nx_maxn", 60, 102.4, "NVIDIA Jetson Orin NX Engineering Reference Developer Kit"),
        ("orin_nano_15w", 40, 68, "NVIDIA Jetson Orin Nano Developer Kit"),
    ],
)
def test_the_orins_cards_give_what_nvidia_states(name, sparse_tops, memory, board):
    """A multiply-accumulate is two operations, and structured sparsity counts each of them twice."""
    card = Device.load(name)
    assert 4 * card.peak_gmacs["int8"] / 1000 == pytest.approx(sparse_tops, rel=0.03)
    assert card.peak_gmacs["int8"] == pytest.approx(2 * card.peak_gmacs["fp16"], abs=0.2)
    assert card.memory_gb_s == memory
    assert "computed, not measured" in card.source
    assert card.foreign({"board": board, "power_mode": "0000"}) is None
    assert card.foreign({"board": "NVIDIA Jetson Xavier NX Developer Kit", "power_mode": "0000"})


def test_the_small_xavier_is_not_taken_for_the_large_one():
    board = {"board": "NVIDIA Jetson Xavier NX Developer Kit", "power_mode": "0000"}
    card = Device.load("xavier_nx_15w")
    assert card.foreign(board) is None
    assert card.peak_gmacs == pytest.approx({"fp32": 384 * 1.1, "fp16": 48 * 64 * 1.1, "int8": 48 * 128 * 1.1}, abs=0.1)
    assert Device.load("agx_xavier_maxn").foreign(board) == "measured on another machine"


def test_the_command_compares_files(tmp_path, capsys):
    report(layer(ms=2.0, macs=705_000_000)).save(tmp_path / "a.json")
    report(layer(ms=1.0)).save(tmp_path / "b.json")
    argv = [tmp_path / "a.json", tmp_path / "b.json", "--device", "agx_xavier_maxn", "--precision", "fp32"]
    assert run("compare", *argv) == 0
    out = capsys.readouterr().out
    assert "0.50" in out
    assert "computed, not measured: 1.000 ms a frame" in out


@pytest.mark.parametrize("change", [{"schema": 2}, {"kind": "power"}])
def test_a_newer_or_other_report_is_refused(tmp_path, change):
    report(layer()).save(tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps({**document, **change}))
    with pytest.raises(ArtifactError, match="is not a layer report of schema 1: it is "):
        LayerReport.load(tmp_path / "a.json")


STEM = 8 * 3 * 64
WORK = {
    "target": STEM * 15 * 15 + 2 * 8 * 8 * 121 * 5 * 5,
    "search": STEM * 31 * 31 + 2 * 8 * 8 * 9 * 29 * 29,
    "xcorr": 2 * 8 * 25 * 25 * 25 + (10 + 20) * 8 * 25 * 25,
}


def work_of(engines, out):
    assert run("layers", "--engines", engines, "--runs", 1, "--out", out) == 0
    totals = {}
    for entry in LayerReport.load(out).layers:
        totals[entry.graph] = totals.get(entry.graph, 0) + entry.macs
    return totals


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_no_work_is_lost_to_fusion(tiny_onnx, tmp_path, precision):
    """Each graph's layers sum to the work of its convolutions, whatever ONNX Runtime fuses, pads and renames."""
    build(tiny_onnx, tmp_path / "engines", "onnxruntime", GraphPrecisions.parse(precision), "")
    assert work_of(tmp_path / "engines", tmp_path / "r.json") == WORK


def test_no_work_is_lost_to_int8_or_it_is_said(tiny_onnx, tmp_path, capsys):
    """ONNX Runtime 1.18 drops the names of quantized convolutions; later ones keep them."""
    ranges = write_calibration(tmp_path / "ranges", tiny_onnx)
    build(tiny_onnx, tmp_path / "engines", "onnxruntime", GraphPrecisions.parse("int8"), "", ranges=ranges)
    found = work_of(tmp_path / "engines", tmp_path / "r.json")
    warned = "so their work counts as 0" in capsys.readouterr().err
    assert (found == WORK) != warned
    if not warned:
        # Bytes in and out, and the unpadded weights, which the profile does not list once they are packed.
        (stem,) = [
            entry
            for entry in LayerReport.load(tmp_path / "r.json").layers
            if entry.graph == "search" and entry.type == "QLinearConv" and entry.macs == STEM * 31 * 31
        ]
        scales = 4 + 1 + 8 * 4 + 8 + 4 + 1
        assert stem.bytes == 3 * 255 * 255 + 8 * 31 * 31 + 8 * 3 * 8 * 8 + scales
    assert onnxruntime.__version__ < "1.2" or not warned
