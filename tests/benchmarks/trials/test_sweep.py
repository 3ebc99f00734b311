from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.commands.sweep import timed_in_turns
from benchmarks.evaluation.options import RunOptions
from benchmarks.profiling.speed.speed_report import SpeedReport
from benchmarks.reports import job
from benchmarks.trials import child
from benchmarks.trials.spread import here
from benchmarks.trials.sweep.mix import Sweep
from benchmarks.trials.sweep.page import published, sweep_page, table
from benchmarks.trials.sweep.row import Row, front
from sequences.annotated import load_sequences
from sequences.rendered.command import write_clip
from siamtrt import GraphPrecisions, InferenceError
from siamtrt.environment import describe
from tests.benchmarks.reports.call import call

SVG = "{http://www.w3.org/2000/svg}"
ABOUT = {
    "model": "tiny",
    "environment": {"cpu": "AMD EPYC"},
    "request": {"backend": "onnxruntime"},
    "frames": {"one": 30, "two": 30},
}


@pytest.fixture(scope="module")
def one_clip(tmp_path_factory):
    root = tmp_path_factory.mktemp("clips")
    write_clip(root / "one", 1, 14)
    return root


def rows_of(out):
    return {row["label"]: row for row in json.loads((out / "sweep.json").read_text())["rows"]}


def test_what_can_be_built_is_measured_and_the_rest_keeps_its_reason(tiny_onnx, one_clip, tmp_path, capsys):
    argv = ["sweep", "--onnx", tiny_onnx, "--sequences", one_clip, "--out", tmp_path, "--threads", 1]
    argv += ["--precisions", "fp32", "int8"]
    assert call(*argv) == 0
    rows = rows_of(tmp_path)
    assert len(rows) == 8
    assert rows["fp32"]["skipped"] is None
    assert rows["fp32"]["fps"] > 0
    assert rows["fp32"]["joules_a_frame"] is None
    assert rows["fp32"]["no_power"]
    assert rows["fp32"]["drift_overlap"] == pytest.approx(1.0)  # from itself
    assert rows["fp32+fp32+int8"]["skipped"] == "xcorr cannot be built in INT8 without activation ranges"
    assert "fp32+int8+fp32" in capsys.readouterr().out
    report = tmp_path / "reports" / "fp32" / "report.json"
    before = report.stat().st_mtime_ns
    argv[-2:] = ["fp32", "fp32"]
    assert call(*argv[:-1]) == 0
    assert report.stat().st_mtime_ns == before
    assert call(*argv, "--protocol", "vot2016") == 4
    assert "holds results for another request: protocol differ" in capsys.readouterr().err


class Recorded:
    """In place of child processes: notes what was asked for, and refuses INT8."""

    def __init__(self, interrupt_at=None):
        self.words, self._interrupt_at = [], interrupt_at

    def __call__(self, words, log):
        self.words.append([str(word) for word in words])
        if len(self.words) == self._interrupt_at:
            raise KeyboardInterrupt
        return "no INT8 here" if words[0] == "engines" else "no sequences here"


def test_all_27_mixes_are_asked_for_with_ranges_only_where_they_are_of_use(tiny_onnx, one_clip, tmp_path, monkeypatch):
    ranges = tmp_path / "ranges"
    ranges.mkdir()
    (ranges / "manifest.json").write_text("{}")
    recorded = Recorded()
    monkeypatch.setattr(child, "run", recorded)
    argv = ["sweep", "--onnx", tiny_onnx, "--sequences", one_clip, "--backend", "tensorrt", "--ranges", ranges]
    assert call(*argv, "--out", tmp_path / "out") == 2
    asked = [words[words.index("--precision") + 1] for words in recorded.words]
    assert len(set(asked)) == 27
    assert asked[0] == "target=fp32,search=fp32,xcorr=fp32"
    assert [("--ranges" in words) for words in recorded.words] == ["int8" in precision for precision in asked]
    assert all("--timing-cache" in words for words in recorded.words)
    assert all(row["skipped"] == "no INT8 here" for row in rows_of(tmp_path / "out").values())


def test_an_interrupted_sweep_keeps_its_rows(tiny_onnx, one_clip, tmp_path, monkeypatch):
    monkeypatch.setattr(child, "run", Recorded(interrupt_at=4))
    argv = ["sweep", "--onnx", tiny_onnx, "--sequences", one_clip, "--out", tmp_path]
    assert call(*argv) == 130
    assert len(rows_of(tmp_path)) == 3
    assert not (tmp_path / "sweep.html").exists()
    monkeypatch.setattr(child, "run", Recorded())
    assert call(*argv) == 2
    assert len(rows_of(tmp_path)) == 27


def test_a_sweep_of_nothing_is_an_error_that_keeps_the_reasons(tiny_onnx, one_clip, tmp_path, capsys):
    argv = ["sweep", "--onnx", tiny_onnx, "--sequences", one_clip, "--precisions", "int8", "--out", tmp_path]
    assert call(*argv) == 2
    shown = capsys.readouterr()
    assert "no mix was measured; int8+int8+int8: target cannot be built in INT8 without activation ranges" in shown.err
    assert str(tmp_path / "sweep.html") in shown.out
    assert "without activation ranges" in (tmp_path / "sweep.html").read_text()
    assert rows_of(tmp_path)["int8+int8+int8"]["skipped"]


def test_an_unknown_protocol_is_refused_before_anything_is_made(tiny_onnx, tmp_path, capsys):
    assert call("sweep", "--onnx", tiny_onnx, "--protocol", "nosuch", "--out", tmp_path / "out") == 2
    assert "unknown protocol 'nosuch'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_ranges_may_come_later_and_a_leak_is_passed_on(tiny_onnx, one_clip, tmp_path, monkeypatch):
    (tmp_path / "engines" / "fp32").mkdir(parents=True)
    (tmp_path / "engines" / "fp32" / "manifest.json").write_text("{}")
    recorded = Recorded()
    monkeypatch.setattr(child, "run", recorded)
    argv = ["sweep", "--onnx", tiny_onnx, "--sequences", one_clip, "--precisions", "fp32", "--out", tmp_path]
    assert call(*argv) == 2
    assert [words[:2] for words in recorded.words] == [["benchmarks", "bench"]]  # the engines are there
    assert "--allow-leak" not in recorded.words[0]
    ranges = tmp_path / "ranges"
    ranges.mkdir()
    (ranges / "manifest.json").write_text("{}")
    assert call(*argv, "--ranges", ranges, "--allow-leak") == 2
    assert "--allow-leak" in recorded.words[-1]
    (ranges / "manifest.json").write_text("{ }")
    assert call(*argv, "--ranges", ranges) == 4


def test_a_sweep_does_not_go_on_in_another_power_mode(tiny_onnx, one_clip, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(child, "run", Recorded())
    argv = ["sweep", "--onnx", tiny_onnx, "--sequences", one_clip, "--precisions", "fp32", "--out", tmp_path]
    assert call(*argv) == 2
    capsys.readouterr()
    monkeypatch.setattr(job, "describe", lambda: {**describe(), "power_mode": "2"})
    assert call(*argv) == 4
    assert "holds results for another request: machine differ" in capsys.readouterr().err


def follow(out, label, boxes):
    path = out / "ope" / label / "results" / label / "one.txt"
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"{box}\n" for box in boxes))


@pytest.fixture
def ready(benched, one_clip, tmp_path, monkeypatch):
    """A sweep whose mixes are benched already, and what is still asked of children."""
    for label in ("fp32", "fp16"):
        (tmp_path / "reports" / label).mkdir(parents=True)
        shutil.copy(benched / "report.json", tmp_path / "reports" / label)
    recorded = Recorded()
    monkeypatch.setattr(child, "run", recorded)
    run, videos = RunOptions(sequences=one_clip), load_sequences(one_clip)
    sweep = Sweep(tmp_path, run, videos, None, None, "onnxruntime", tmp_path, "fp32", {"threads": None})

    def row_of(label):
        mix = GraphPrecisions.parse(label)
        return sweep.known(mix) or sweep.concluded(mix, sweep.measured(mix))

    return row_of, recorded


def test_drift_is_the_overlap_with_the_boxes_of_the_reference(ready, tmp_path):
    row_of, recorded = ready
    follow(tmp_path, "fp32", ["10,10,20,20"] * 14)
    follow(tmp_path, "fp16", ["10,10,20,20"] * 4 + ["20,10,20,20"] * 10)  # a third of what both cover
    assert row_of("fp32").drift_overlap == 1.0
    row = row_of("fp16")
    assert row.drift_overlap == pytest.approx((3 + 10 / 3) / 13)  # the first frame is given
    assert row.no_drift is None
    assert recorded.words == []


def test_a_finished_mix_is_taken_as_it_is_as_long_as_its_report_is_the_same(ready, tmp_path):
    row_of, _ = ready
    follow(tmp_path, "fp32", ["10,10,20,20"] * 14)
    row = row_of("fp32")
    (tmp_path / "ope" / "fp32" / "results" / "fp32" / "one.txt").unlink()
    assert row_of("fp32") == row
    with (tmp_path / "reports" / "fp32" / "report.json").open("a") as stream:
        stream.write("\n")
    assert row_of("fp32").no_drift == "no sequences here"


def test_without_boxes_they_are_made_and_a_refusal_is_kept(ready, tmp_path):
    row_of, recorded = ready
    row = row_of("fp16")
    assert (row.skipped, row.drift_overlap, row.no_drift) == (None, None, "no sequences here")
    assert [words[:2] for words in recorded.words] == [["benchmarks", "ope"]]
    assert recorded.words[0][-2:] == ["--tracker", "fp16"]
    follow(tmp_path, "fp16", ["10,10,20,20"] * 14)
    assert row_of("fp16").no_drift == "fp32 has no boxes to compare with"


def test_a_child_gives_its_own_sentence(tmp_path):
    log = tmp_path / "log.txt"
    assert (
        child.run(["benchmarks", "compare", tmp_path / "absent.json"], log)
        == f"no such file: {tmp_path / 'absent.json'}"
    )
    assert "absent.json" in log.read_text()
    assert child.run(["benchmarks", "--help"], log) is None
    with pytest.raises(InferenceError, match="broke off"):
        child.run(["benchmarks.no_such_module"], log)


def test_a_killed_child_says_by_what(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", write_script(tmp_path / "dies", "#!/bin/sh\nkill -9 $$\n"))
    assert child.run(["engines"], tmp_path / "log.txt") == "ended by signal 9"
    monkeypatch.setattr(sys, "executable", write_script(tmp_path / "stops", "#!/bin/sh\nexit 130\n"))
    with pytest.raises(KeyboardInterrupt):
        child.run(["engines"], tmp_path / "log.txt")


def write_script(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("places", "least_cost", "kept"),
    [
        ([(10, 0.3), (20, 0.2), (15, 0.1)], False, [(20, 0.2), (10, 0.3)]),
        ([(10, 0.3), (20, 0.3)], False, [(20, 0.3)]),
        ([(10, 0.3), (10, 0.2)], False, [(10, 0.3)]),
        ([(1.0, 0.2), (2.0, 0.3), (3.0, 0.25)], True, [(1.0, 0.2), (2.0, 0.3)]),
        ([], True, []),
    ],
)
def test_the_front_is_what_nothing_beats(places, least_cost, kept):
    assert front(places, least_cost=least_cost) == kept


ROWS = [
    Row(
        "fp32",
        report_sha256="0",
        eao=0.4,
        eao_interval_95=(0.3, 0.5),
        accuracy=0.6,
        failures=2,
        drift_overlap=0.98,
        fps=20.0,
        joules_a_frame=0.5,
        mean_w=10.0,
        fps_rounds=(20.0, 19.0, 22.0),
    ),
    Row("fp16", report_sha256="0", eao=0.39, accuracy=0.6, failures=3, fps=50.0, joules_a_frame=0.2, mean_w=10.0),
    Row("fp16+fp32+fp32", report_sha256="0", eao=0.35, accuracy=0.6, failures=3, fps=19.0, joules_a_frame=0.6),
    Row("int8", skipped="no <ranges>"),
]


def test_the_page_draws_both_fronts_and_marks_what_others_measured():
    html = sweep_page(ROWS, ABOUT, published())
    rate, joules, *spreads = (ElementTree.fromstring(text) for text in re.findall(r"<svg .*?</svg>", html, re.DOTALL))
    dots = [circle for circle in rate.iter(f"{SVG}circle") if circle.attrib["r"] == "5"]
    hollow = [circle for circle in dots if circle.attrib["fill"] == "#ffffff"]
    assert (len(dots), len(hollow)) == (3 + 29, 29)
    assert len([circle for circle in joules.iter(f"{SVG}circle") if circle.attrib["r"] == "5"]) == 3
    assert len(spreads) == 2  # by the precision of each graph
    for drawing in (rate, joules):
        (line,) = list(drawing.iter(f"{SVG}polyline"))
        assert len(line.attrib["points"].split()) == 2  # fp32 and fp16
    assert '<td data-key="0.300 to 0.500">' in html
    assert html.count('<tr class="foreign">') == 29 + 16  # mixes, and the four sizes it pruned to
    assert "<h1>tiny: 4 mixes of precision on onnxruntime</h1>" in html
    assert "Measured by someone else" in html
    assert "someone else&#x27;s measurement" in html
    assert "no &lt;ranges&gt;" in html
    assert "https://" not in html


def test_every_cell_stands_below_its_head():
    html = sweep_page(ROWS, ABOUT, published())
    ours = re.search("<h2>Measured here</h2>(.*?)</table>", html, re.DOTALL).group(1)
    heads = re.findall("<th>(.*?)</th>", ours)
    cells = re.findall("<td[^>]*>(.*?)</td>", ours)[: len(heads)]
    assert dict(zip(heads, cells)) == {
        "target+search+xcorr": '<a href="reports/fp32/report.html">fp32</a>',
        "EAO": "0.400",
        "95 % interval": "0.300 to 0.500",
        "accuracy": "0.600",
        "failures": "2",
        "drift": "0.980",
        "FPS": "20.0",
        "FPS in rounds": "19.0 to 22.0",
        "update ms": "-",
        "W": "10.00",
        "J a frame": "0.500",
    }


def test_without_joules_the_page_says_why():
    rows = [Row("fp32", eao=0.4, fps=20.0, no_power="this machine has no sensor", leaked=True, unstable=("busy",))]
    html = sweep_page(rows, ABOUT, published())
    assert "Not drawn, there are no joules: this machine has no sensor." in html
    assert "Calibrated on sequences they are judged on, on request: fp32" in html
    assert "Times to doubt, the reasons stand in the reports: all." in html
    html = sweep_page([*ROWS[1:], *rows], ABOUT, published())
    assert "Times to doubt, the reasons stand in the reports: fp32." in html
    assert "No mix has both" in sweep_page(ROWS[3:], ABOUT, published())


def test_without_an_eao_accuracy_is_drawn_and_without_that_the_drift():
    short = [Row(row.label, accuracy=row.accuracy, drift_overlap=0.9, fps=row.fps) for row in ROWS[:3]]
    html = sweep_page(short, ABOUT, published())
    assert "<h2>Accuracy against frames a second</h2>" in html
    assert "No run is long enough for an EAO, so this is accuracy." in html
    assert html.count('r="5"') == 3  # and none of the thesis, which has an EAO
    lost = [Row(row.label, drift_overlap=0.9, fps=row.fps) for row in ROWS[:3]]
    assert "<h2>Overlap with the first mix against frames a second</h2>" in sweep_page(lost, ABOUT, published())


def test_the_times_of_a_mix_are_the_median_of_its_rounds(benched):
    report = SpeedReport.load(benched / "speed.json")
    rounds = [
        replace(report, figures=replace(report.figures, fps_pooled=fps, warnings=warnings))
        for fps, warnings in ((30.0, ()), (10.0, ("busy",)), (20.0, ()))
    ]
    row = Row("fp32", fps=99.0, unstable=("old",)).timed(rounds)
    assert (row.fps, row.fps_rounds, row.unstable) == (20.0, (30.0, 10.0, 20.0), ("busy",))
    assert Row("fp32", fps=99.0).timed([]).fps == 99.0


def test_every_mix_has_its_turn_in_each_round_and_a_finished_turn_is_kept(
    tiny_engines, one_clip, tmp_path, benched, monkeypatch
):
    mixes = [GraphPrecisions.parse(label) for label in ("fp32", "fp16")]
    for mix in mixes:
        shutil.copytree(tiny_engines, tmp_path / "engines" / mix.label)
    turns = []

    def timed(words, log):
        words = [str(word) for word in words]
        turns.append(words[words.index("--engines") + 1].rsplit("/", 1)[1])
        out = Path(words[words.index("--out") + 1])
        out.parent.mkdir(exist_ok=True)
        shutil.copy(benched / "speed.json", out)

    monkeypatch.setattr(child, "run", timed)
    run, videos = RunOptions(sequences=one_clip), load_sequences(one_clip)
    sweep = Sweep(tmp_path, run, videos, None, None, "onnxruntime", tmp_path, "fp32", {"threads": None})
    rows = [Row("fp32", fps=1.0), Row("fp16", fps=1.0), Row("int8", skipped="no")]
    again = [timed_in_turns(sweep, mixes, rows, 2, here) for _ in range(2)]
    assert turns == ["fp32", "fp16"] * 2
    assert [len(row.fps_rounds) for row in again[1]] == [2, 2, 0]
    assert again[0] == again[1]


def test_the_table_prints_every_mix():
    lines = table(ROWS).splitlines()
    assert lines[1].split() == ["fp32", "0.400", "0.600", "2", "0.980", "20.0", "0.500", "19.0", "to", "22.0"]
    assert lines[-1] == f"{'int8':22} skipped: no <ranges>"


def test_the_published_rows_are_those_of_the_thesis():
    rows = {row["name"]: row for row in published()["rows"]}
    assert (rows["PyTorch FP32"]["eao"], rows["PyTorch FP32"]["fps"]) == (0.413, 11.0)
    assert (rows["TensorRT INT8"]["eao"], rows["TensorRT INT8"]["gpu_w"]) == (0.347, 3.6)
    assert (rows["fp16+int8+fp16"]["fps"], rows["fp16+int8+fp16"]["gpu_w"]) == (78.8, None)
