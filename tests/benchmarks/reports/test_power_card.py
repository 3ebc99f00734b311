from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from benchmarks.profiling.power.energy import PowerSummary
from benchmarks.profiling.power.power_report import PowerReport, PowerSamples
from benchmarks.reports.cards.power_card import power
from benchmarks.reports.cards.sections import report_page
from benchmarks.reports.document import Report

SVG = "{http://www.w3.org/2000/svg}"
RAILS = {"GPU": (1000, 9000, 9000, 1000), "CPU": (2000, 3000, 3000, 2000)}
SAMPLES = PowerSamples((5_000_000_000, 6_000_000_000, 7_000_000_000, 8_000_000_000), RAILS, (None,) * 4)
MEASURED = PowerReport(
    probe="tegrastats",
    interval_ms=100.0,
    total_rails=("GPU", "CPU"),
    load={"GPU": PowerSummary(8.5, 9.0, 9.0, 17.0), "total": PowerSummary(11.5, 12.0, 12.0, 23.0)},
    idle={"GPU": PowerSummary(1.0, 1.0, 1.0, 1.0)},
    joules_a_frame=0.23,
    joules_a_frame_above_idle=0.17,
    gpu_max_avg_w=8.6,
    windows_ns=((5_500_000_000, 7_500_000_000),),
    timed_share=0.97,
    samples=SAMPLES,
)


@pytest.fixture
def with_power(benched):
    report = Report.load(benched / "report.json")
    return lambda found: replace(report, speed=replace(report.speed, power=found))


def test_rails_are_drawn_over_time_with_their_sum(with_power):
    card = power(with_power(MEASURED))
    drawing = ElementTree.fromstring(re.search(r"<svg .*</svg>", card, re.DOTALL).group())
    names = [title.text for title in drawing.iter(f"{SVG}title")]
    assert [name for name in names if ":" not in name] == ["total", "GPU", "CPU"]
    assert "GPU: 1, 9.00" in names
    lines = [line.attrib["points"].split() for line in drawing.iter(f"{SVG}polyline")]
    heights = [float(points[1].split(",")[1]) for points in lines]
    assert heights[0] < heights[1] < heights[2]  # 12, 9 and 3 W
    ticks = {element.text: float(element.attrib["x"]) for element in drawing.iter(f"{SVG}text")}
    shaded = next(box.attrib for box in drawing.iter(f"{SVG}rect") if box.attrib["fill"] == "#eef3fa")
    second = ticks["2"] - ticks["1"]
    assert float(shaded["x"]) == pytest.approx(ticks["1"] - second / 2, abs=0.01)
    assert float(shaded["width"]) == pytest.approx(2 * second, abs=0.01)


def test_the_figures_stand_below(with_power):
    card = power(with_power(MEASURED))
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", card)
    assert cells == ["GPU", "8.50", "9.00", "9.00", "1.00", "17.00", "total", "11.50", "12.00", "12.00", "-", "23.00"]
    assert "Read by tegrastats every 100 ms" in card
    assert "0.230 J a frame, 0.170 above idle" in card
    assert "fill 97% of them" in card
    assert "running mean 8.6 W" in card


def test_what_is_not_known_keeps_its_reason(with_power):
    unknown = replace(MEASURED, total_rails=None, joules_a_frame=None, reasons={"joules_a_frame": "no total on <this>"})
    card = power(with_power(unknown))
    assert "no joules_a_frame: no total on &lt;this&gt;" in card
    assert "<title>total</title>" not in card
    absent = with_power(PowerReport.absent("rails need root on JetPack 5"))
    assert power(absent).count("Not there: rails need root on JetPack 5.") == 1
    assert "Power, mean" not in report_page(absent)
    assert "0.230 J a frame" in report_page(with_power(MEASURED))
