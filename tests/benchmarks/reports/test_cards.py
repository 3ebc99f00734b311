from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from benchmarks.profiling.speed.conditions import Conditions
from benchmarks.reports.cards.cost import cost
from benchmarks.reports.cards.provenance import provenance
from benchmarks.reports.cards.quality import quality
from benchmarks.reports.cards.sections import headline, report_page
from tests.benchmarks.reports import made

SVG = "{http://www.w3.org/2000/svg}"


def cards(made_cards):
    """Heading -> markup."""
    return {re.search("<h2>(.*?)</h2>", card).group(1): card for card in made_cards}


def drawing(card):
    return ElementTree.fromstring(re.search(r"<svg .*</svg>", card, re.DOTALL).group())


def words(card):
    return [element.text for element in drawing(card).iter(f"{SVG}text") if element.text]


def rows(card):
    """Cells of each row of the table."""
    lines = re.findall(r"<tr[^>]*>(.*?)</tr>", card, re.DOTALL)
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", line) for line in lines]


def test_the_headline_says_how_well_how_fast_how_costly():
    found = {name: (figure, note) for name, figure, note in headline(made.report())}
    assert found["EAO"] == ("0.400", "95 % interval 0.300 to 0.500")
    assert found["Accuracy"][0] == "0.600"
    assert found["Failures"] == ("1", "0.33 in 100 frames")
    pooled = 302 / (0.02 + 1.5 + 0.02 + 3.0)
    mean = (151 / 1.52 + 151 / 3.02) / 2
    doubt = "doubtful, see below"
    assert found["FPS"] == (f"{pooled:.1f}", f"mean of the videos {mean:.1f}; {doubt}")
    assert found["Update, median"] == ("15.00 ms", "p99 20.00 ms, max 20.00 ms")
    assert "Power, mean" not in found  # a tile that says nothing is none; the card below says why


def test_every_row_of_every_table_is_as_long_as_its_head():
    tables = re.findall("<table.*?</table>", report_page(made.report()), re.DOTALL)
    assert len(tables) == 5
    for table in tables:
        assert len({len(row) for row in rows(table)}) == 1


def test_a_calm_run_is_not_doubted():
    report = made.report()
    figures = replace(report.speed.figures, warnings=())
    calm = replace(report, speed=replace(report.speed, figures=figures))
    assert "oubtful" not in report_page(calm)
    assert "Doubtful" in report_page(report)


def test_one_sequence_has_no_interval_and_a_short_one_no_eao():
    report = made.report()
    alone = replace(report, sequences={"one": report.sequences["one"]})
    assert headline(alone)[0][2] == "no interval: one sequence is long enough"
    short = replace(report, measures=replace(report.measures, eao={**made.EAO, "all": None}, eao_interval_95=None))
    assert headline(short)[0] == ("EAO", "-", "runs are too short")


def test_the_head_names_machine_protocol_and_leak():
    report = made.report()
    page = report_page(report)
    assert "2 sequences (one, two), 300 frames, rules of vot2018, on AMD EPYC, finished 2026-01-02 03:04 UTC" in page
    assert "rendered" not in page
    assert "Leaked." not in page
    leaky = {**report.sequences, "two": replace(report.sequences["two"], leaked=True)}
    page = report_page(replace(report, sequences=leaky, environment={"board": "Jetson-AGX", "cpu": "ARMv8"}))
    assert "calibrated on 1 of the 2 sequences they are judged on here (two)" in page
    assert "on Jetson-AGX, finished" in page


def test_the_expected_overlap_is_drawn_with_its_window():
    card = cards(quality(made.report()))["Expected average overlap"]
    picture = drawing(card)
    (line,) = picture.iter(f"{SVG}polyline")
    assert len(line.attrib["points"].split()) == 199  # the start, which is 1 by definition, is left out
    (band,) = [box for box in picture.iter(f"{SVG}rect") if box.attrib["fill"] == "#eef3fa"]
    ticks = {element.text: float(element.attrib["x"]) for element in picture.iter(f"{SVG}text")}
    assert float(band.attrib["x"]) == pytest.approx(ticks["100"], abs=0.01)
    assert float(band.attrib["x"]) + float(band.attrib["width"]) == pytest.approx(ticks["200"], abs=0.01)
    assert "runs of 100 to 356 frames, shaded as far as runs go, which is 200." in card


def test_the_pointer_is_told_the_values_of_a_curve_and_the_frame_of_a_slow_call():
    titles = [
        title.text for title in drawing(cards(quality(made.report()))["Expected average overlap"]).iter(f"{SVG}title")
    ]
    assert "model onnxruntime fp16: 2, 0.800" in titles
    titles = [title.text for title in drawing(cards(cost(made.report()))["Latency of each frame"]).iter(f"{SVG}title")]
    assert "two, frame 150: 20.0" in titles


def test_runs_too_short_for_an_eao_are_said_to_be_so_and_nothing_is_shaded():
    report = made.report()
    short = replace(report, measures=replace(report.measures, curve=report.measures.curve[:50]))
    card = cards(quality(short))["Expected average overlap"]
    assert "the longest here has 50, so there is no EAO and nothing is shaded" in card
    assert not [box for box in drawing(card).iter(f"{SVG}rect") if box.attrib["fill"] == "#eef3fa"]


def test_the_first_screen_says_what_was_run_on_what_and_on_how_many_threads():
    report = made.report()
    runs = {name: replace(run, rendered=True) for name, run in report.sequences.items()}
    settings = {"backend": "onnxruntime", "precision": "target=fp16,search=fp16,xcorr=fp16"}
    speed = replace(report.speed, threads=2, engines_manifest={"settings": settings})
    page = report_page(replace(report, sequences=runs, speed=speed), ["report.json", "layers.json"])
    head = page[: page.index('<div class="tiles">')]
    assert "rendered clips, no films: 2 sequences" in head
    assert "on AMD EPYC, 2 threads, FP16 weights, computed in FP32, finished" in head
    assert re.findall('<a href="(.*?)">', head) == ["report.json", "layers.json"]
    one = {**runs, "two": report.sequences["two"]}
    assert "some rendered: 2 sequences" in report_page(replace(report, sequences=one))
    assert "<a " not in report_page(report)


def test_every_sequence_is_a_dot_at_its_failures_and_accuracy():
    card = cards(quality(made.report()))["Accuracy and robustness"]
    titles = [element.text for element in drawing(card).iter(f"{SVG}title")]
    assert sorted(titles) == ["all: 0.333, 0.600", "one: 0.500, 0.500", "two: 0, 0.700"]


def test_attributes_that_never_occur_have_no_bar():
    found = words(cards(quality(made.report()))["Attributes"])
    assert found[1:] == ["all", "0.400", "occlusion", "0.200"]
    assert "annotated with illum change." in cards(quality(made.report()))["Attributes"]


def test_the_sequences_stand_in_a_table_that_sorts():
    card = cards(quality(made.report()))["Sequences"]
    assert 'class="sorts"' in card
    assert rows(card)[1:] == [
        ["one", "200", "640x480", "0.500", "1", "100.0", "no"],
        ["two", "100", "320x240", "0.700", "0", "50.0", "no"],
    ]


def test_failures_are_shown_or_it_is_said_that_there_was_none():
    report = made.report()
    card = cards(quality(report))["Failures"]
    assert '<img alt="one, frame 7" src="data:image/jpeg;base64,AAAA">' in card
    gone = replace(report, failures=(replace(report.failures[0], prediction=None),))
    assert "one, frame 7: the tracker said that it was gone" in cards(quality(gone))["Failures"]
    assert "never lost" in cards(quality(replace(report, failures=())))["Failures"]


def test_updates_are_counted_apart_from_starts():
    card = cards(cost(made.report()))["Latency of an update"]
    counts = [int(re.search(r": (\d+) frames", title.text).group(1)) for title in drawing(card).iter(f"{SVG}title")]
    assert counts == [150, 150]
    assert {"p50 15.0", "p90 20.0", "p99 20.0"} <= set(words(card))
    assert "Timed: the call." in card


def test_the_timeline_has_every_call_of_every_sequence():
    card = cards(cost(made.report()))["Latency of each frame"]
    assert {"one", "two"} <= set(words(card))
    assert "Doubtful: the standard deviation is 33% of the mean" in card
    assert len(list(drawing(card).iter(f"{SVG}path"))) == 302


def test_stages_and_percentiles_follow_the_samples():
    found = cards(cost(made.report()))
    assert {"search", "rest", "12.0 (p99 16.0)"} <= set(words(found["Stages"]))
    update, start, search, rest = rows(found["Percentiles"])[1:]
    assert update == ["update", "300", *["15.000", "5.000", "10.000", "15.000", "20.000", "20.000", "20.000", "20.000"]]
    assert start[:3] == ["start", "2", "20.000"]
    assert search[:2] == ["search", "300"]
    assert rest[:2] == ["rest", "302"]
    assert "8 calls before these were warm-up; 4 skipped frames" in found["Percentiles"]


def test_layers_are_summed_by_type_and_the_slowest_listed():
    found = cards(cost(made.report()))
    assert words(found["Layers by type"])[1:] == [
        *("search: Conv", "5.00"),
        *("target: Conv", "0.500"),
        *("search: Slice", "0.250"),
    ]
    assert rows(found["Slowest layers"])[1] == ["head", "search", "Conv", "float16", "3.0000", "3.0"]
    assert "medians of 7" in found["Layers by type"]
    without = replace(made.report(), layers=None, missing={"layers": "left out on request"})
    assert "Not there: left out on request." in cards(cost(without))["Layers"]


def test_without_power_its_reason_stands_in_its_place():
    assert "Not there: no &lt;sensor&gt;." in cards(cost(made.report()))["Power"]


def test_machine_and_conditions_are_written_down():
    report = made.report()
    found = rows(cards(provenance(report))["Machine"])
    assert found == [["cpu", "AMD EPYC"], ["board", "-"], ["packages", "numpy 1.23.5"]]
    seen = Conditions(
        power_mode=None,
        cpu_mhz=(1190.0, 2265.0),
        gpu_mhz=None,
        governor="schedutil",
        gpu_clock_fixed=False,
        temperatures_start_c={"CPU-therm": 41.5},
        temperatures_end_c=None,
        reasons={"gpu_mhz": "no GPU here"},
    )
    card = cards(provenance(replace(report, speed=replace(report.speed, conditions=seen))))["Machine"]
    found = dict(rows(card))
    assert found["seen: cpu mhz"] == "1,190 to 2,265"
    assert "<li>gpu mhz: no GPU here</li>" in card
    for throttling, words in (((), "no"), (("hot", "an alarm"), "hot; an alarm")):
        held = replace(report.speed, conditions=replace(seen, throttling=throttling))
        told = cards(provenance(replace(report, speed=held)))["Machine"]
        assert dict(rows(told))["seen: throttling"] == words
    assert "<summary>4 conditions that this machine does not show</summary>" in card
    assert found["seen: governor"] == "schedutil"
    assert found["seen: gpu clock fixed"] == "no"
    assert found["seen: temperatures start c"] == "CPU-therm 41.5"
    assert not [name for name in found if "gpu mhz" in name or "power mode" in name]


def test_the_paper_trail_names_commands_digests_and_settings():
    found = dict(rows(cards(provenance(made.report()))["Paper trail"]))
    assert found["this report"] == "python -m benchmarks bench"
    assert found["annotations"] == f"sha256 {'c' * 64}"
    assert found["engines"] == "make &lt;engines&gt;"
    assert found["engines: search.onnx"] == f"sha256 {'f' * 64}"
    assert found["engines: settings"] == "a 1"


def test_a_thousand_calibration_crops_are_one_digest_of_the_paper_trail():
    report, counts = made.report(), []
    for changed in ("0", "1"):
        samples = {f"samples/{index:04}.npz": f"{index:064}" for index in range(999)}
        files = {"search.ranges.json": "e" * 64, **samples, "samples/0999.npz": changed * 64}
        trail = {"calibration": {"command": "c", "files": files, "settings": {}}}
        found = dict(rows(cards(provenance(replace(report, manifests=trail)))["Paper trail"]))
        assert found["calibration: search.ranges.json"] == f"sha256 {'e' * 64}"
        assert len(found) == 6
        counts.append(found["calibration: samples/*.npz"])
    assert counts[0].endswith("of the digests of 1,000 files")
    assert counts[0] != counts[1]
