from __future__ import annotations

import base64
import json
import re
import shutil
from html.parser import HTMLParser
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from benchmarks.evaluation import options
from benchmarks.evaluation.vot.results import FAILED, read
from benchmarks.profiling.graph_work import title, work_of
from benchmarks.reports import bench as bench_module
from benchmarks.reports.cards.failures import thumbnail
from benchmarks.reports.cards.sections import report_page
from benchmarks.reports.document import Report
from siamtrt import ArtifactError, GraphPrecisions, Manifest, ModelCard, UsageError
from tests.benchmarks.profiling.power.boards import FOR_EVER, program
from tests.benchmarks.reports.call import call
from tests.built import build


@pytest.fixture(scope="module")
def report(benched):
    return Report.load(benched / "report.json")


@pytest.fixture(scope="module")
def html(benched):
    return (benched / "report.html").read_text(encoding="utf-8")


def arguments(engines, clips, out):
    return ["bench", "--engines", engines, "--sequences", clips, "--out", out, "--threads", 1, "--layer-runs", 2]


def test_the_report_holds_every_raw_sample(report, benched):
    assert list(report.sequences) == ["one", "two"]
    for name, run in report.sequences.items():
        raw = (benched / "vot" / "results" / "tracker" / "baseline" / name / f"{name}_001.txt").read_text().split()
        assert (list(run.entries), run.frames, run.width_px, run.height_px) == (raw, 30, 640, 480)
    for video in report.speed.videos:
        timed = sum(entry != "0" for entry in report.sequences[video.name].entries)
        assert len(video.samples) == timed  # the networks are deterministic, so both runs skip the same frames
    assert report.measures.failures == sum(entry == "2" for run in report.sequences.values() for entry in run.entries)
    assert {layer.graph for layer in report.layers.layers} == {"target", "search", "xcorr"}


def test_the_paper_trail_reaches_the_export(report, tiny_engines):
    card = ModelCard.load(tiny_engines)
    assert report.title == title(card, "onnxruntime", "fp32")
    assert report.work == work_of(card)
    assert list(report.manifests) == ["engines", "export"]
    engines, export = report.manifests["engines"], report.manifests["export"]
    assert set(export["files"].values()) <= set(engines["parents"].values())


def test_the_folder_is_closed_by_a_manifest(benched, tiny_engines):
    manifest = Manifest.load(benched, stage="benchmarks")  # proves every digest
    assert set(manifest.files) == {
        "annotations.json",
        "evaluation.json",
        "speed.json",
        "layers.json",
        "report.json",
        "report.html",
    }
    assert list(manifest.parents) == [str(tiny_engines / "manifest.json")]


def test_every_failure_has_its_picture(report, benched):
    lost = {}
    for path in sorted((benched / "vot" / "results").rglob("*.txt")):
        codes = read(path).codes
        lost[path.parent.name] = [index for index, code in enumerate(codes) if code == FAILED]
    assert sum(map(len, lost.values())) > 0
    assert [(failure.sequence, failure.frame) for failure in report.failures] == [
        (name, frame) for name, frames in lost.items() for frame in frames
    ]
    for failure in report.failures:
        data = np.frombuffer(base64.b64decode(failure.jpeg_base64), np.uint8)
        assert cv2.imdecode(data, cv2.IMREAD_COLOR).shape == (240, 320, 3)


def test_a_thumbnail_shows_truth_and_prediction_where_they_are():
    frame = np.full((480, 640, 3), 90, np.uint8)
    truth = np.array([(100, 100), (200, 100), (200, 180), (100, 180)], float)
    data = base64.b64decode(thumbnail(frame, truth, [400.0, 200.0, 100.0, 80.0]))
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).astype(int)
    assert picture[50, 75].min() > 170  # the upper edge of the truth, half as large
    blue, green, red = picture[100, 225]
    assert red > 180
    assert blue < 110
    assert green < red
    gone = base64.b64decode(thumbnail(frame, truth, None))
    picture = cv2.imdecode(np.frombuffer(gone, np.uint8), cv2.IMREAD_COLOR).astype(int)
    assert abs(picture[100, 225] - 90).max() < 10


class Outline(HTMLParser):
    """Collects tags and what they load, and proves that they close."""

    VOID = ("meta", "img", "br", "link", "wbr")

    def __init__(self):
        super().__init__()
        self.open, self.loads, self.links, self.heads = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.loads += [value for name, value in attributes if name == "src" or (name == "href" and tag != "a")]
        self.links += [value for name, value in attributes if name == "href" and tag == "a"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            self.heads.append(data)


def test_the_page_is_whole_loads_nothing_and_links_to_what_lies_beside_it(html, benched):
    outline = Outline()
    outline.feed(html)
    assert outline.open == []
    assert outline.loads
    assert {"report.json", "layers.json", "speed.json"} <= set(outline.links)
    assert all((benched / link).is_file() for link in outline.links)
    assert all(load.startswith("data:image/jpeg;base64,") for load in outline.loads)
    assert set(re.findall(r"https?://[^\s\"'<]+", html)) == {"http://www.w3.org/2000/svg"}
    for part in ("Expected average overlap", "Accuracy and robustness", "Attributes", "Sequences", "Failures"):
        assert part in outline.heads
    for part in ("Latency of an update", "Latency of each frame", "Stages", "Layers by type", "Power", "Paper trail"):
        assert part in outline.heads


def test_every_drawing_is_well_formed(html):
    drawings = re.findall(r"<svg .*?</svg>", html, re.DOTALL)
    assert len(drawings) == 7
    for drawing in drawings:
        assert ElementTree.fromstring(drawing).attrib["role"] == "img"


def doubt(out, *doubts):
    """Let the times of a finished bench be doubted for these reasons alone."""
    speed = json.loads((out / "speed.json").read_text())
    speed["figures"]["warnings"] = doubts
    (out / "speed.json").write_text(json.dumps(speed))


def test_a_mix_of_precisions_is_benched_under_its_name(tiny_onnx, two_clips, tmp_path):
    mix = GraphPrecisions.parse("target=fp32,search=fp16,xcorr=fp32")
    build(tiny_onnx, tmp_path / "engines", "onnxruntime", mix, "make engines")
    words = arguments(tmp_path / "engines", two_clips, tmp_path / "out")
    assert call(*words, "--only", "one", "--layer-runs", 0) == 0
    assert Report.load(tmp_path / "out" / "report.json").title.startswith("tiny onnxruntime fp32+fp16+fp32")


def test_a_finished_bench_is_kept_and_a_part_of_it_done_again(tiny_engines, two_clips, benched, tmp_path, monkeypatch):
    out = tmp_path / "out"
    shutil.copytree(benched, out)
    doubt(out)
    done = []
    monkeypatch.setattr(
        bench_module, "STEPS", [(n, f, lambda job, n=n: done.append(n)) for n, f, _ in bench_module.STEPS]
    )
    before = (out / "manifest.json").stat().st_mtime_ns
    assert call(*arguments(tiny_engines, two_clips, out)) == 0
    assert done == []
    assert (out / "manifest.json").stat().st_mtime_ns == before
    (out / "speed.json").unlink()
    assert call(*arguments(tiny_engines, two_clips, out)) == 0
    assert done == ["speed", "layers", "report", "page"]


def test_times_that_were_doubtful_are_measured_again_and_figures_are_printed(
    tiny_engines, two_clips, benched, tmp_path, capsys
):
    out = tmp_path / "out"
    shutil.copytree(benched, out)
    doubt(out, "is the machine busy?")
    before = {name: (out / name).read_text() for name in ("evaluation.json", "speed.json")}
    assert call(*arguments(tiny_engines, two_clips, out)) == 0
    assert (out / "evaluation.json").read_text() == before["evaluation.json"]
    assert (out / "speed.json").read_text() != before["speed.json"]
    Manifest.load(out, stage="benchmarks")
    doubt(out)
    capsys.readouterr()
    assert call(*arguments(tiny_engines, two_clips, out)) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed[:-1]] == ["EAO", "Accuracy", "Failures", "FPS", "Update,"]
    assert printed[-1] == str(out / "report.html")


def test_what_follows_a_part_done_again_is_done_again_even_after_an_interruption(
    tiny_engines, two_clips, benched, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    shutil.copytree(benched, out)
    argv = arguments(tiny_engines, two_clips, out)
    (out / "speed.json").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(bench_module, "profile", interrupt)
        assert call(*argv) == 130
    kept = {path.name for path in out.glob("*.json")} | {path.name for path in out.glob("*.html")}
    assert kept == {"request.json", "annotations.json", "evaluation.json", "speed.json"}
    assert call(*argv) == 0
    Manifest.load(out, stage="benchmarks")
    report = json.loads((out / "report.json").read_text())
    assert report["speed"] == json.loads((out / "speed.json").read_text())
    assert report["speed"] != json.loads((benched / "speed.json").read_text())


def test_a_finished_bench_with_annotations_is_kept(tiny_engines, two_clips, benched, tmp_path):
    argv = [*arguments(tiny_engines, two_clips, tmp_path), "--annotations", benched / "annotations.json"]
    assert call(*argv) == 0
    assert not (tmp_path / "annotations.json").exists()
    doubt(tmp_path)
    before = (tmp_path / "manifest.json").stat().st_mtime_ns
    assert call(*argv) == 0
    assert (tmp_path / "manifest.json").stat().st_mtime_ns == before


def test_an_interrupted_bench_goes_on_where_it_stopped(tiny_engines, two_clips, tmp_path, monkeypatch, capsys):
    argv = arguments(tiny_engines, two_clips, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(bench_module.speed, "measure", interrupt)
        assert call(*argv) == 130
    assert (tmp_path / "evaluation.json").is_file()
    assert not list(tmp_path.glob("report.*")) + list(tmp_path.glob("manifest.json"))
    before = (tmp_path / "evaluation.json").stat().st_mtime_ns
    assert call(*argv) == 0
    assert (tmp_path / "evaluation.json").stat().st_mtime_ns == before
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "report.html")


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_a_folder_of_another_bench_is_refused(tiny_engines, two_clips, benched, capsys):
    assert call(*arguments(tiny_engines, two_clips, benched), "--only", "one") == 4
    assert "holds results for another request: sequences differ" in capsys.readouterr().err


def test_a_leak_is_refused_or_said_on_the_page(tiny_engines, two_clips, tmp_path, capsys):
    engines = tmp_path / "engines"
    shutil.copytree(tiny_engines, engines)
    manifest = json.loads((engines / "manifest.json").read_text())
    manifest["settings"]["calibration_sources"] = ["two"]
    (engines / "manifest.json").write_text(json.dumps(manifest))
    argv = arguments(engines, two_clips, tmp_path / "out")
    assert call(*argv) == 2
    assert "was calibrated on two" in capsys.readouterr().err
    assert call(*argv, "--allow-leak") == 0
    assert Report.load(tmp_path / "out" / "report.json").leaked == ["two"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "calibrated on 1 of the 2 sequences they are judged on here (two)" in page


def test_layers_that_cannot_be_profiled_leave_their_reason(tiny_engines, two_clips, benched, tmp_path, monkeypatch):
    def refuse(*_):
        raise UsageError("layers of the backend 'x' cannot be profiled yet")

    out = tmp_path / "out"
    shutil.copytree(benched, out)
    for name in ("layers.json", "report.json", "report.html"):
        (out / name).unlink()
    monkeypatch.setattr(bench_module, "profile", refuse)
    assert call(*arguments(tiny_engines, two_clips, out)) == 0
    report = Report.load(out / "report.json")
    assert report.layers is None
    assert report.missing == {"layers": "layers of the backend 'x' cannot be profiled yet"}
    assert "layers of the backend &#x27;x&#x27; cannot be profiled yet" in (out / "report.html").read_text()


def test_options_that_make_no_sense_are_refused(tiny_engines, tmp_path, capsys):
    assert call("bench", "--engines", tiny_engines, "--out", tmp_path / "out", "--layer-runs", -1) == 2
    assert "-1 runs have no median" in capsys.readouterr().err
    for words in (("--threads", 0), ("--probe", "nosuch"), ("--tegrastats", "")):
        with pytest.raises(SystemExit, match="2"):
            call("bench", "--engines", tiny_engines, "--out", tmp_path / "out", *words)
    assert "'' is no command" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_boards_own_program_is_read_while_it_runs(tiny_engines, two_clips, tmp_path):
    program_line = program(tmp_path, FOR_EVER.format(0.005))
    argv = arguments(tiny_engines, two_clips, tmp_path / "out")
    assert call(*argv, "--probe", "tegrastats", "--tegrastats", program_line) == 0
    power = Report.load(tmp_path / "out" / "report.json").speed.power
    assert power.probe == "tegrastats"
    assert power.joules_a_frame > 0
    html = (tmp_path / "out" / "report.html").read_text()
    assert f"{power.joules_a_frame:.3f} J a frame" in html
    assert "<title>VDDRQ</title>" in html


def test_without_data_a_clip_is_rendered_once(tiny_engines, tmp_path, monkeypatch):
    monkeypatch.setattr(options, "_CLIP_FRAMES", 14)
    argv = ["bench", "--engines", tiny_engines, "--out", tmp_path, "--threads", 1, "--layer-runs", 1]
    assert call(*argv) == 0
    report = Report.load(tmp_path / "report.json")
    assert {name: run.frames for name, run in report.sequences.items()} == {"clip": 14}
    assert report.measures.eao["all"] is None  # no run of 14 frames is 100 long
    assert "runs are too short" in report_page(report)


@pytest.mark.parametrize("change", [{"schema": 2}, {"kind": "layers"}])
def test_a_newer_or_other_report_is_refused(benched, tmp_path, change):
    document = json.loads((benched / "report.json").read_text())
    (tmp_path / "r.json").write_text(json.dumps({**document, **change}))
    with pytest.raises(ArtifactError, match="is not a whole report of schema 1: it is "):
        Report.load(tmp_path / "r.json")


@pytest.mark.parametrize("part", ["speed", "measures", "sequences", "failures", "protocol", "title"])
def test_a_report_without_a_part_is_refused(benched, tmp_path, part):
    document = json.loads((benched / "report.json").read_text())
    del document[part]
    (tmp_path / "r.json").write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match="is not a whole report"):
        Report.load(tmp_path / "r.json")


@pytest.mark.parametrize(
    "damage", [{"sequences": []}, {"measures": {"eao": 1}}, {"failures": [{"frame": 1}]}, {"speed": {}}]
)
def test_a_damaged_report_is_refused(benched, tmp_path, damage):
    document = json.loads((benched / "report.json").read_text())
    (tmp_path / "r.json").write_text(json.dumps({**document, **damage}))
    with pytest.raises(ArtifactError):
        Report.load(tmp_path / "r.json")
