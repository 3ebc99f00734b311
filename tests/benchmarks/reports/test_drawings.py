from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.reports.drawing import page, svg
from benchmarks.reports.drawing.axes import Axis, covering, decades, short
from benchmarks.reports.drawing.bars import Bar, bars
from benchmarks.reports.drawing.plots import Curve, Point, curves, histogram, legend_px, points, timeline

SVG = "{http://www.w3.org/2000/svg}"


def parsed(drawing):
    return ElementTree.fromstring(drawing.markup)


def words_of(drawing):
    return [element.text for element in parsed(drawing).iter(f"{SVG}text") if element.text]


def shapes(drawing, kind):
    return [element.attrib for element in parsed(drawing).iter(f"{SVG}{kind}")]


def test_an_axis_maps_its_ends_and_clips_what_lies_beyond():
    axis = Axis(10, 20, 100, 0, "up")
    assert [axis.at(value) for value in (10, 15, 20, 25, 0)] == [100, 50, 0, 0, 100]
    assert Axis(1, 100, 0, 200, "log", logarithmic=True).at(10) == pytest.approx(100)


@pytest.mark.parametrize(
    ("values", "zero", "ticks"),
    [
        ([0.1, 0.73], True, [0, 0.2, 0.4, 0.6, 0.8]),
        ([120, 171], False, [120, 140, 160, 180]),
        ([3, 356], True, [0, 100, 200, 300, 400]),
        ([0.0], True, [0, 0.02, 0.04, 0.06, 0.08, 0.1]),
        ([], False, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
    ],
)
def test_axes_end_on_round_numbers(values, zero, ticks):
    axis = covering(values, (0, 1), "", zero=zero)
    assert axis.ticks == pytest.approx(ticks)
    assert (axis.low, axis.high) == pytest.approx((ticks[0], ticks[-1]))


def test_decades_hold_everything():
    axis = decades([0.3, 11280], (0, 1), "")
    assert (axis.low, axis.high) == (0.1, 20000)
    assert axis.ticks == pytest.approx([0.1, 1, 10, 100, 1000, 10000])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.0123, "0.0123"),
        (0.5, "0.500"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (123.4, "123"),
        (9876.5, "9,876"),
    ],
)
def test_numbers_are_short(value, text):
    assert short(value) == text


def test_words_from_outside_cannot_become_markup():
    drawing = curves([Curve('<script>"&', [0, 1], [0, 1]), Curve("b", [0], [0])], ("x<", 'y"'))
    assert "<script>" not in drawing.markup
    assert '<script>"&' in words_of(drawing)
    assert page.page("<b>", "").count("<b>") == 0
    assert "<i>" not in page.table(["<i>"], [["<i>"]]) + page.tile("<i>", "<i>", "<i>") + page.card(
        "<i>", "", note="<i>"
    )


def test_a_curve_goes_through_its_points():
    drawing = curves([Curve("a", [0, 100], [0.0, 1.0])], ("x", "y"), size=(500.0, 300.0))
    (line,) = shapes(drawing, "polyline")
    start, end = (tuple(map(float, pair.split(","))) for pair in line["points"].split())
    ticks = {element.text: element.attrib for element in parsed(drawing).iter(f"{SVG}text")}
    assert float(ticks["100"]["x"]) == pytest.approx(end[0], abs=0.1)
    assert float(ticks["1"]["y"]) - 4 == pytest.approx(end[1], abs=0.1)
    assert start[0] < end[0]
    assert start[1] > end[1]
    assert "b" in words_of(curves([Curve("a", [0], [0]), Curve("b", [1], [1])], ("x", "y")))


def test_a_legend_takes_as_many_rows_as_it_needs():
    names = [f"a rather long name {index}" for index in range(6)]
    assert legend_px(names[:1], 520) == 0
    assert legend_px(["a", "b", "c"], 520) == 15
    assert legend_px(names, 520) == 45
    drawing = curves([Curve(name, [0, 1], [0, 1]) for name in names], ("x", "y"), size=(520.0, 300.0))
    places = {element.text: element.attrib for element in parsed(drawing).iter(f"{SVG}text")}
    assert len({(places[name]["x"], places[name]["y"]) for name in names}) == 6
    assert max(float(places[name]["x"]) + 6.4 * len(name) for name in names) < 520
    top_of_plot = min(float(line["y1"]) for line in shapes(drawing, "line"))
    assert max(float(places[name]["y"]) for name in names) < top_of_plot - 10


def test_a_gap_in_a_curve_is_left_out():
    (line,) = shapes(curves([Curve("a", [0, 1, 2], [0.5, float("nan"), 0.7])], ("x", "y")), "polyline")
    assert len(line["points"].split()) == 2


def test_foreign_points_are_hollow():
    drawing = points([Point("ours", 10, 0.3, "us"), Point("theirs", 50, 0.4, "them", foreign=True)], ("FPS", "EAO"))
    ours, theirs = [circle for circle in shapes(drawing, "circle") if circle["r"] == "5"]
    assert len(shapes(drawing, "circle")) == 3  # and a ring in the legend
    assert ours["fill"] == svg.SERIES[0]
    assert (theirs["fill"], theirs["stroke"]) == (svg.PAPER, svg.SERIES[1])
    assert float(ours["cx"]) < float(theirs["cx"])
    assert float(ours["cy"]) > float(theirs["cy"])


def test_labels_do_not_lie_on_one_another():
    drawing = points([Point(f"point {index}", 10, 0.3, "g") for index in range(6)], ("x", "y"))
    places = [
        float(element.attrib["y"])
        for element in parsed(drawing).iter(f"{SVG}text")
        if (element.text or "").startswith("point")
    ]
    assert len(places) == 6
    assert min(b - a for a, b in zip(sorted(places), sorted(places)[1:])) >= 11


def test_a_histogram_counts_every_frame():
    drawing = histogram([1.0] * 30 + [2.0] * 10 + [50.0], {"p50": 1.0, "p99": 2.2}, "ms")
    counts = [
        int(re.search(r": (\d+) frames", element.text).group(1)) for element in parsed(drawing).iter(f"{SVG}title")
    ]
    assert (sum(counts), max(counts), counts[-1]) == (41, 30, 1)
    assert {"p50 1.00", "p99 2.20"} <= set(words_of(drawing))


def test_a_timeline_says_what_it_cuts_off():
    calm = timeline([2.0, None, 3.0], [(0, "one")], "ms")
    assert len(shapes(calm, "path")) == 2
    assert "one" in words_of(calm)
    drawing = timeline([2.0] * 500 + [100.0] + [2.0] * 500, [], "ms")
    assert "1 above, in orange; the slowest 100" in words_of(drawing)
    assert sum(path["stroke"] == svg.SERIES[1] for path in shapes(drawing, "path")) == 1


def test_twenty_thousand_frames_stay_a_small_drawing():
    values = [2.0 + (index % 7) / 10 for index in range(20000)]
    assert len(timeline(values, [(0, "a"), (9000, "b")], "ms").markup) < 150_000


def test_the_length_of_a_bar_is_its_figure():
    drawing = bars([Bar("full", (2.0, 1.0), "(x 0.50)"), Bar("none", (None, 0.5))], ["a", "b"], "ms")
    lengths = [float(bar["width"]) for bar in shapes(drawing, "rect") if bar.get("rx") == "1.5"]
    assert lengths[1] / lengths[0] == pytest.approx(0.5, rel=1e-4)
    assert lengths[2] / lengths[0] == pytest.approx(0.25, rel=1e-4)
    assert {"2.00 (x 0.50)", "1.00", "none", "a", "b"} <= set(words_of(drawing))


def test_a_long_label_is_cut_and_kept_in_full_for_the_pointer():
    drawing = bars([Bar("a" * 200, (1.0,))], ["x"], "ms")
    assert any(words.endswith("…") and len(words) < 60 for words in words_of(drawing))
    assert any(element.text == "a" * 200 for element in parsed(drawing).iter(f"{SVG}title"))


def test_drawings_stack_without_overlap():
    half, wide = (
        curves([Curve("a", [0, 1], [0, 1])], ("x", "y"), size=(400.0, 300.0)),
        bars([Bar("a", (1.0,))], ["x"], "ms", width=900),
    )
    whole = svg.stacked([("first", half), ("second", half), ("third", wide)], "all")
    inner = [element.attrib for element in parsed(whole).findall(f"{SVG}svg")]
    first, second, third = ({name: float(entry[name]) for name in ("x", "y", "width", "height")} for entry in inner)
    assert (second["x"], second["y"]) == (first["width"], first["y"])
    assert (third["x"], third["width"]) == (0, 900)
    assert third["y"] >= first["y"] + first["height"] + 20  # room for its heading
    assert (whole.width, whole.height) == (900, third["y"] + third["height"])
    assert {"all", "first", "second", "third"} <= set(words_of(whole))


def test_every_colour_of_a_drawing_has_one_for_dark_screens():
    dark = (Path(page.__file__).parent / "style.css").read_text().split("prefers-color-scheme: dark")[1]
    for color in (svg.INK, svg.MUTED, svg.GRID, svg.PAPER, *svg.SERIES):
        assert f'[fill="{color}"]' in dark
        assert f'[stroke="{color}"]' in dark
    assert f'[fill="{svg.BAND}"]' in dark
    assert f'[stroke="{svg.RULE}"]' in dark


def test_long_names_break_behind_dots_and_what_a_phone_cannot_hold_is_marked():
    assert "<td>layer5.<wbr>2.<wbr>conv</td><td>0.5</td>" in page.table(
        ["a", "b"], [["layer5.2.conv", "0.5"]], look="dense"
    )
    wide = page.table(["a"] * 5, [["x"] * 5])
    assert 'class="scroll far"' in wide
    assert "far" not in page.table(["a"] * 4, [["x"] * 4])
    assert 'class="scroll far"' in page.chart("t", svg.Drawing(520.0, 10.0, "", ""))
    assert "far" not in page.chart("t", svg.Drawing(340.0, 10.0, "", ""))


def test_a_table_keeps_a_key_for_sorting():
    markup = page.table(["name", "ms"], [["a", "1,234.5"], ["b", "-"]], look="sorts")
    assert 'data-key="1234.5"' in markup
    assert '<td data-key="">-</td>' in markup
    assert "<thead>" not in page.table([], [["a"]])
