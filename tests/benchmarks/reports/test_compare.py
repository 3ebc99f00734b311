from __future__ import annotations

import json
import shutil
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from benchmarks.profiling.graph_work import NOT_COUNTED, GraphWork
from benchmarks.profiling.layers.device import Device
from benchmarks.profiling.layers.layer_report import Layer, LayerReport
from benchmarks.profiling.layers.tables import layer_key
from benchmarks.profiling.power.energy import PowerSummary
from benchmarks.reports.cards import report_drawings, side_by_side
from benchmarks.reports.cards.layer_drawings import drawings, grouped, roofline
from benchmarks.reports.document import Report
from tests.benchmarks.reports.call import call

SVG = "{http://www.w3.org/2000/svg}"


WORK = {
    "target": GraphWork(3_000_000, 9_000_000, each_frame=False),
    "search": GraphWork(3_000_000, 80_000_000, each_frame=True),
    "xcorr": GraphWork(500_000, 1_500_000, each_frame=True),
}


def layer(name, ms, macs=0, size=1000, precision="float32"):
    return Layer("search", name, "Conv", precision, (1, 8, 2, 2), ms, macs, size)


def layers(*found, board=None, mode=None):
    return LayerReport("T", 3, found, {"board": board, "cpu": "AMD EPYC", "power_mode": mode}, {})


def parsed(drawing):
    return ElementTree.fromstring(drawing.markup)


@pytest.fixture
def report(benched):
    return Report.load(benched / "report.json")


def with_power(report, watts, joules):
    load = {"total": PowerSummary(watts, watts, watts, 10.0)}
    power = replace(report.speed.power, load=load, joules_a_frame=joules, reasons={})
    calm = replace(report.speed.figures, warnings=())
    return replace(report, speed=replace(report.speed, power=power, figures=calm), work=WORK)


@pytest.mark.parametrize(
    "name",
    [
        "layer5.2.conv.0",
        "layer5.2.conv.0/Clip_nchwc",
        "layer5.2.conv.0/Clip_cast_to_fp16_nchwc",
        "InsertedPrecisionFreeCast_layer5.2.conv.0_nchwc",
        "layer5.2.conv.0 + layer5.2.relu",
    ],
)
def test_a_layer_is_known_again_in_another_precision(name):
    assert layer_key(layer(name, 1.0)) == ("search", "layer5.2.conv.0")


def test_layers_are_drawn_with_their_ratio():
    drawing = grouped([layers(layer("a", 2.0), layer("b", 1.0)), layers(layer("a", 1.0))], "layer")
    words = [element.text for element in parsed(drawing).iter(f"{SVG}text")]
    assert {"search: a", "2.00 (x 0.50)", "search: b", "none"} <= set(words)


def test_a_dot_lies_at_its_share_of_the_roof_and_one_from_elsewhere_is_no_dot():
    card = Device.load("agx_xavier_maxn")
    at_the_roof = layer("full", 1.0, macs=int(705.0e6), size=1000_000)
    drawing = roofline([layers(at_the_roof, board="Jetson-AGX", mode="0000")], card)
    (dot,) = [element.attrib for element in parsed(drawing).iter(f"{SVG}circle")]
    roofs = [element.attrib["points"].split() for element in parsed(drawing).iter(f"{SVG}polyline")]
    assert float(dot["cy"]) == pytest.approx(float(roofs[0][-1].split(",")[1]), abs=0.1)
    slower = layers(at_the_roof, board="Jetson-AGX", mode="0007")
    elsewhere = roofline([layers(at_the_roof), slower, slower], card)
    assert not list(parsed(elsewhere).iter(f"{SVG}circle"))
    (words,) = [
        text
        for text in (element.text or "" for element in parsed(elsewhere).iter(f"{SVG}text"))
        if ":" in text and "ticks" in text
    ]
    assert words.startswith("ticks: layers measured on another machine, or measured in power mode 7, not 0; only")
    assert [heading for heading, _ in drawings([layers(at_the_roof)], card)][
        -1
    ] == "Roofline of Jetson AGX Xavier, MAXN"


def test_figures_stand_side_by_side_with_ratios(report):
    other = replace(with_power(report, 12.5, 0.25), title="other")
    twice = replace(other, measures=replace(other.measures, robustness=2 * report.measures.robustness))
    rows = {row[0]: row[1:] for row in side_by_side.rows([with_power(report, 10.0, 0.5), twice])}
    assert rows["failures in 100 frames"][2] == "2.00"
    assert rows["power W, mean"] == ["10.00", "12.50", "1.25"]
    assert rows["J a frame"] == ["0.500", "0.250", "0.50"]
    assert rows["FPS, pooled"][2] == "1.00"
    assert side_by_side.heads([report, other, other]) == ["", "1", "2", "3", "2/1", "3/1"]


def test_what_forbids_a_comparison_is_said(report):
    name, run = next(iter(report.sequences.items()))
    shorter = replace(report, sequences={name: run})
    moved = replace(report, environment={**report.environment, "cpu": "another"})
    leaked = replace(report, sequences={**report.sequences, name: replace(run, leaked=True)})
    doubts = side_by_side.doubts([report, shorter, moved, leaked])
    assert "2 was run on other sequences than 1: neither tracking nor speed can be compared" in doubts
    assert "3 was measured on another machine or power mode than 1" in doubts
    assert f"4 is judged on sequences that calibrated its engines: {name}" in doubts
    shaky = replace(report, speed=replace(report.speed, figures=replace(report.speed.figures, warnings=("busy",))))
    last = side_by_side.doubts([shaky, with_power(report, 1, 1), shaky])
    assert last[-3].startswith("1, 3: no power, ")
    assert last[-2] == "1, 3: times to doubt, for the reasons in the report"
    assert side_by_side.doubts([with_power(report, 1, 1), with_power(report, 2, 2)]) == []


def test_the_work_of_each_graph_stands_beside_its_figures(report):
    bare = replace(report, work={name: replace(graph, macs=None, parameters=None) for name, graph in WORK.items()})
    pruned = {**WORK, "search": replace(WORK["search"], macs=40_000_000, parameters=1_500_000)}
    rows = {row[0]: row[1:] for row in side_by_side.rows([replace(report, work=WORK), replace(report, work=pruned)])}
    assert rows["M parameters, of a frame"] == ["3.500", "2.000", "0.57"]
    assert rows["MMAC, of a frame"] == ["81.5", "41.5", "0.51"]
    assert rows["search: MMAC"] == ["80.0", "40.0", "0.50"]
    assert rows["target: M parameters"] == ["3.000", "3.000", "1.00"]
    rows = {row[0]: row[1:] for row in side_by_side.rows([bare])}
    assert rows["search: MMAC"] == rows["MMAC, of a frame"] == ["-"]
    assert f"1, 2: {NOT_COUNTED}" in side_by_side.doubts([bare, replace(report, work={})])


def test_full_reports_are_drawn(report):
    named = dict(report_drawings.drawings([report, with_power(report, 10.0, 0.5)]))
    assert list(named) == [
        "Expected average overlap",
        "Accuracy and robustness",
        "Frames a second",
        "Latency of an update",
        "Stages",
        "Power",
    ]
    assert "Power" not in dict(report_drawings.drawings([report]))
    assert len(list(parsed(named["Expected average overlap"]).iter(f"{SVG}polyline"))) == 2


def test_the_command_prints_and_draws_full_reports(benched, tmp_path, capsys):
    shutil.copy(benched / "report.json", tmp_path / "b.json")
    argv = ["compare", benched / "report.json", tmp_path / "b.json"]
    assert call(*argv, "--draw", tmp_path / "both.html") == 0
    out = capsys.readouterr().out
    assert "1: tiny onnxruntime fp32" in out
    assert "1, 2: no power, " in out
    assert "<h2>Figures</h2>" in (tmp_path / "both.html").read_text()
    assert call(*argv, "--draw", tmp_path / "both.svg") == 0
    assert ElementTree.parse(tmp_path / "both.svg").getroot().tag == f"{SVG}svg"
    assert call(*argv, "--draw", tmp_path / "both.png") == 2
    assert "FILE.svg, or FILE.html" in capsys.readouterr().err


def test_layers_within_full_reports_are_compared_as_asked(benched, tmp_path, capsys):
    argv = ["compare", benched / "report.json", benched / "report.json", "--by", "graph"]
    assert call(*argv, "--device", "agx_xavier_maxn", "--draw", tmp_path / "both.html") == 0
    out = capsys.readouterr().out
    assert any(line.split()[:1] == ["xcorr"] and line.split()[-1] == "1.00" for line in out.splitlines())
    assert "computed, not measured" in out
    assert "<h2>Roofline of Jetson AGX Xavier, MAXN</h2>" in (tmp_path / "both.html").read_text()
    document = json.loads((benched / "report.json").read_text())
    (tmp_path / "bare.json").write_text(json.dumps({**document, "layers": None, "missing": {"layers": "left out"}}))
    assert call("compare", tmp_path / "bare.json") == 0
    assert call("compare", tmp_path / "bare.json", "--device", "agx_xavier_maxn") == 2


def test_the_command_draws_layer_reports(benched, tmp_path, capsys):
    argv = ["compare", benched / "layers.json", benched / "layers.json", "--device", "agx_xavier_maxn"]
    assert call(*argv, "--draw", tmp_path / "layers.html") == 0
    assert "computed, not measured" in capsys.readouterr().out
    page = (tmp_path / "layers.html").read_text()
    for heading in ("By graph", "By role of layer", "By layer, the slowest", "Roofline of Jetson AGX Xavier, MAXN"):
        assert f"<h2>{heading}</h2>" in page
    assert call(*argv, "--draw", tmp_path / "layers.html", "--by", "type") == 0
    assert "<h2>By type of layer</h2>" in (tmp_path / "layers.html").read_text()


def test_reports_of_one_title_are_told_apart_by_their_folders(benched, tmp_path, capsys):
    paths = [tmp_path / name / "report.json" for name in ("one", "two")]
    for path in paths:
        path.parent.mkdir()
        shutil.copy(benched / "report.json", path)
    assert call("compare", *paths) == 0
    titles = [line.split(", ")[-1] for line in capsys.readouterr().out.splitlines() if line[:2] in ("1:", "2:")]
    assert titles == ["one", "two"] * 2


def test_reports_of_two_kinds_and_of_a_newer_schema_are_refused(benched, tmp_path, capsys):
    assert call("compare", benched / "report.json", benched / "layers.json") == 2
    assert "layers.json is no report of a bench" in capsys.readouterr().err
    document = json.loads((benched / "report.json").read_text())
    (tmp_path / "new.json").write_text(json.dumps({**document, "schema": 2}))
    assert call("compare", benched / "report.json", tmp_path / "new.json") == 4
    assert "is not a whole report of schema 1" in capsys.readouterr().err
    assert call("compare", tmp_path / "absent.json") == 4
