from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.profiling.power.rails import total_mw
from benchmarks.profiling.power.tegrastats import parse, parse_gpu_clock_mhz, parse_rails, parse_temperatures
from siamtrt import ProbeError
from tests.benchmarks.profiling.power.boards import LINES, XAVIER_LINE

ALPHABET = "GPUCSOVDRQYINmWMBkT0123456789/@%.,:[]()- _x°٣"


def test_there_are_fourteen_lines():
    assert len(LINES) == 14


@pytest.mark.parametrize("entry", LINES, ids=lambda entry: entry["board"])
def test_real_lines(entry):
    rails = parse_rails(entry["line"])
    assert {rail.name: [rail.power_mw, rail.average_mw] for rail in rails} == entry["rails"]
    assert total_mw(rails) == entry["total_mw"]
    assert parse_gpu_clock_mhz(entry["line"]) == entry["gpu_clock_mhz"]
    temperatures = parse_temperatures(entry["line"])
    assert {zone: temperatures[zone] for zone in entry["temperatures"]} == entry["temperatures"]
    reading = parse(entry["line"])
    assert (reading.rails, reading.gpu_mhz, reading.temperatures_c) == (rails, entry["gpu_clock_mhz"], temperatures)


def test_a_line_without_rails_is_an_error_not_zero():
    without = LINES[0]["line"].split(" GPU 0/16")[0]
    with pytest.raises(ProbeError, match=r"no power rail(.|\n)*rails need root on JetPack 5"):
        parse_rails(without)


@pytest.mark.parametrize("rail", ["5W/5W", "5mW/5", "467uW/467uW", "467/467mW"])
def test_a_unit_that_is_not_known_is_an_error_not_a_rail_fewer(rail):
    with pytest.raises(ProbeError, match="not understood: GPU, CPU"):
        parse_rails(f"GPU {rail} CPU 310mW/310mW")


def test_two_rails_of_one_name_are_an_error():
    with pytest.raises(ProbeError, match="not understood"):
        parse_rails("GPU 1/1 CPU 2/2 GPU 3/3")


def test_a_zone_that_is_switched_off_has_no_temperature():
    assert parse_temperatures("CV0@-256C GPU@-5.5C cpu@52.968C/52.968C") == {"GPU": -5.5, "cpu": 52.968}


@settings(deadline=None)
@given(st.one_of(st.text(max_size=300), st.text(ALPHABET, max_size=300)))
def test_garbage_raises_or_reads_but_never_crashes(text):
    assert all(math.isfinite(degrees) for degrees in parse_temperatures(text).values())
    clock = parse_gpu_clock_mhz(text)
    assert clock is None or 0 <= clock < 100_000
    try:
        rails = parse_rails(text)
    except ProbeError:
        return
    assert all(0 <= rail.power_mw < 10**9 and rail.name.isascii() for rail in rails)


@settings(deadline=None)
@given(st.sampled_from(LINES), st.data())
def test_a_cut_line_never_invents_a_rail(entry, data):
    cut = entry["line"][: data.draw(st.integers(0, len(entry["line"])))]
    try:
        found = {rail.name for rail in parse_rails(cut)}
    except ProbeError:
        return
    assert found <= set(entry["rails"])


@settings(deadline=None)
@given(st.integers(0, len(XAVIER_LINE) - 1), st.characters(min_codepoint=1, max_codepoint=0x2FF))
def test_a_line_with_one_wrong_character_is_no_reading_of_fewer_watts_in_disguise(at, character):
    """Either the rails are the board's six, with a total, or nothing sums them up."""
    try:
        rails = parse_rails(XAVIER_LINE[:at] + character + XAVIER_LINE[at + 1 :])
    except ProbeError:
        return
    names = [rail.name for rail in rails]
    assert total_mw(rails) is None or set(names) >= {"GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"}
