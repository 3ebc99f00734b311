from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from benchmarks.reports.cards import report_drawings, side_by_side
from benchmarks.reports.document import Report
from benchmarks.reports.drawing.boxes import Box, boxes
from benchmarks.trials.sweep.marginals import marginals, of_thesis, precisions
from benchmarks.trials.sweep.page import published, thesis_joules
from benchmarks.trials.sweep.row import Row, save
from siamtrt import ArtifactError
from tests.benchmarks.reports.call import call

SVG = "{http://www.w3.org/2000/svg}"


def swept(path, model, rows):
    save(path, rows, {"model": model, "request": {"backend": "onnxruntime"}})
    return path


@pytest.fixture
def two(tmp_path):
    whole = swept(tmp_path / "a.json", "tiny", [Row("fp32", eao=0.4, fps=20.0, drift_overlap=1.0), Row("int8")])
    rows = [Row("fp32", eao=0.39, fps=30.0, drift_overlap=1.0), Row("fp32+int8+fp32", eao=0.2, fps=10.0)]
    return [whole, swept(tmp_path / "b.json", "tiny m62", rows)]


def test_a_page_holds_what_no_mix_of_any_model_beats_and_the_thesis_hollow(two, tmp_path, capsys):
    judged = tmp_path / "judged.json"
    judged.write_text(json.dumps({"models": {"tiny-m62/engines/onnxruntime-fp32": {"worth": 0.61}}}))
    assert call("fronts", *two, "--judged", judged, "--out", tmp_path / "fronts.html") == 0
    printed = capsys.readouterr().out
    assert re.search(r"tiny, onnxruntime +fp32 +20.0", printed)
    assert re.search(r"tiny m62, onnxruntime +fp32 +30.0 +0.390 +0.610", printed)
    assert "fp32+int8+fp32" not in printed  # slower and worse
    html = (tmp_path / "fronts.html").read_text()
    rate = ElementTree.fromstring(re.findall(r"<svg .*?</svg>", html, re.DOTALL)[0])
    dots = [circle for circle in rate.iter(f"{SVG}circle") if circle.attrib["r"] == "5"]
    assert len([dot for dot in dots if dot.attrib["fill"] == "#ffffff"]) == 16
    assert len(dots) == 16 + 3
    assert "Success on held-out videos against frames a second" in html
    assert html.count("No mix has both.") == 3  # there are no joules


def test_two_sweeps_of_one_model_are_refused(two, tmp_path, capsys):
    assert call("fronts", two[0], two[0], "--out", tmp_path / "f.html") == 2
    assert "two sweeps are of tiny" in capsys.readouterr().err


def test_what_is_no_sweep_is_refused(tmp_path):
    (tmp_path / "x.json").write_text("{}")
    assert call("fronts", tmp_path / "x.json", "--out", tmp_path / "f.html") == ArtifactError.exit_code


def test_the_thesis_rows_are_those_of_its_tables():
    thesis = published()
    mixes = {row["name"]: row for row in thesis["rows"]}
    assert len([name for name in mixes if "+" in name]) == 24
    assert mixes["fp16+int8+fp16"]["fps"] == 78.8
    assert {of_thesis(name) for name in mixes} >= {("int8", "int8", "int8"), ("fp16", "fp16", "fp16"), ()}
    assert len({of_thesis(name) for name in mixes}) == 27 + 1  # every mix, and the one that is no mix of engines
    assert len(thesis["pruned"]) == 16
    assert round(thesis_joules(mixes["PyTorch FP32"]), 2) == 1.95  # its Table 4.6 prints 1.94, of unrounded figures
    assert thesis_joules(mixes["fp16+int8+fp16"]) is None


def test_marginals_gather_mixes_by_the_precision_of_each_graph():
    rows = [Row("fp32", eao=0.4, fps=10.0), Row("fp32+fp16+fp32", eao=0.3, fps=20.0), Row("int8", eao=0.2, fps=30.0)]
    html = marginals(rows, {row.label: row.eao for row in rows}, "EAO", published())
    words = re.findall(r"<title>([^<]*)</title>", html)
    assert "search fp16: median 20.0 of 1, 20.0 to 20.0" in words
    assert "target fp32: median 15.0 of 2, 10.0 to 20.0" in words
    assert "thesis, xcorr int8: median 0.170 of 9, 0.151 to 0.347" in words
    assert precisions("int8") == ("fp16", "int8", "int8")


def test_a_box_shows_what_lies_beyond_its_whiskers():
    drawing = ElementTree.fromstring(boxes([Box("a", (1.0, 1.1, 1.2, 1.3, 9.0)), Box("b", ())], "EAO").markup)
    assert len(list(drawing.iter(f"{SVG}circle"))) == 1
    assert "none" in [text.text for text in drawing.iter(f"{SVG}text")]


def test_reports_side_by_side_show_attributes_and_the_thesis_energy(benched):
    report = Report.load(benched / "report.json")
    eao = {"all": 0.4, "size_change": 0.3, "occlusion": None}
    power = replace(report.speed.power, gpu_max_avg_w=13.0)
    rated = replace(report.speed.figures, fps_mean_of_videos=50.0)
    one = replace(
        report,
        measures=replace(report.measures, eao=eao),
        speed=replace(report.speed, power=power, figures=rated),
    )
    lines = {row[0]: row[1:] for row in side_by_side.rows([one, report])}
    assert lines["EAO, size change"][0] == "0.300"
    assert "EAO, occlusion" not in lines
    assert lines["J a frame as the thesis does"][0] == "0.260"
    assert "EAO by attribute" in dict(report_drawings.drawings([one, report]))
