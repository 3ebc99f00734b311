"""The report in docs/: a report once written stays readable, and its page says what it holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.reports.cards.sections import headline, report_page
from benchmarks.reports.document import Report

EXAMPLE = Path(__file__).parents[3] / "docs" / "example"


@pytest.fixture(scope="module")
def report():
    return Report.load(EXAMPLE / "report.json")


def test_an_old_report_is_read_and_drawn_again(report):
    assert report.title.startswith("siamrpn_nano onnxruntime fp16")
    assert list(report.manifests) == ["engines", "export"]
    assert len(report.failures) == sum(entry == "2" for run in report.sequences.values() for entry in run.entries)
    assert "<h2>Failures</h2>" in report_page(report)
    assert "rendered clips, no films: 4 sequences" in report_page(report)


def test_its_figures_follow_from_its_samples(report):
    total_ns = [ns for video in report.speed.videos for ns in video.samples.total_ns]
    assert report.speed.figures.fps_pooled == pytest.approx(len(total_ns) / (sum(total_ns) / 1e9))
    assert report.measures.failures == len(report.failures)
    frames = sum(run.frames for run in report.sequences.values())
    assert report.measures.robustness == pytest.approx(100 * len(report.failures) / frames)


def test_the_page_shows_the_figures_of_the_report(report):
    page = (EXAMPLE / "report.html").read_text(encoding="utf-8")
    shown = re.findall(r'<div class="tile"><span>([^<]*)</span><b>([^<]*)</b>', page)
    assert shown == [(name, figure) for name, figure, _ in headline(report)]
    assert page.count("data:image/jpeg;base64,") == len(report.failures)


def test_it_is_small_and_names_no_machine_of_ours():
    files = [EXAMPLE / "report.html", EXAMPLE / "report.json"]
    assert sum(path.stat().st_size for path in files) < 400_000
    assert not [path for path in files if str(EXAMPLE.parents[2]) + "/" in path.read_text(encoding="utf-8")]
