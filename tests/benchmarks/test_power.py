from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.__main__ import _arguments, main
from benchmarks.power.energy import Sample, summarise
from benchmarks.power.ina3221 import read_rails
from benchmarks.power.rails import Rail, total_mw
from benchmarks.power.tegrastats import parse_gpu_clock_mhz, parse_rails, parse_temperatures
from siamtrt import ProbeError, UsageError, cli

LINES = json.loads((Path(__file__).parents[1] / "golden/tegrastats/lines.json").read_text())
SECOND_NS = 1_000_000_000


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


def test_a_line_without_rails_is_an_error_not_zero():
    without = LINES[0]["line"].split(" GPU 0/16")[0]
    with pytest.raises(ProbeError, match=r"no power rail(.|\n)*run as root"):
        parse_rails(without)


@given(st.text(max_size=300))
def test_garbage_raises_or_reads_but_never_crashes(text):
    try:
        rails = parse_rails(text)
    except ProbeError:
        return
    assert all(rail.power_mw >= 0 and rail.name for rail in rails)


@given(st.sampled_from(LINES), st.data())
def test_a_cut_line_never_invents_a_rail(entry, data):
    cut = entry["line"][: data.draw(st.integers(0, len(entry["line"])))]
    try:
        found = {rail.name for rail in parse_rails(cut)}
    except ProbeError:
        return
    assert found <= set(entry["rails"])


def ina(root, files):
    for name, text in files.items():
        path = root / "sys/bus/i2c/devices" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_hwmon_of_jetpack_5(tmp_path):
    folder = "1-0040/hwmon/hwmon3"
    files = {f"{folder}/in1_label": "GPU\n", f"{folder}/in1_input": "19000\n", f"{folder}/curr1_input": "24\n"}
    files.update({f"{folder}/in2_label": "CPU\n", f"{folder}/in2_input": "19040\n", f"{folder}/curr2_input": "16\n"})
    files[f"{folder}/in7_label"] = "sum of shunt voltages\n"
    assert read_rails(ina(tmp_path, files)) == (Rail("GPU", 456), Rail("CPU", 305))


def test_iio_of_jetpack_4(tmp_path):
    folder = "1-0041/iio:device1"
    files = {f"{folder}/rail_name_0": "CV\n", f"{folder}/in_power0_input": "0\n"}
    files.update({f"{folder}/rail_name_2": "SYS5V\n", f"{folder}/in_power2_input": "1522\n"})
    assert read_rails(ina(tmp_path, files)) == (Rail("CV", 0), Rail("SYS5V", 1522))


def test_no_monitor_and_no_number_are_errors(tmp_path):
    with pytest.raises(ProbeError, match="no INA3221"):
        read_rails(tmp_path)
    ina(tmp_path, {"1-0041/iio:device1/rail_name_0": "CV", "1-0041/iio:device1/in_power0_input": "lots"})
    with pytest.raises(ProbeError, match="holds 'lots', not a number"):
        read_rails(tmp_path)


def xavier(time_s, gpu_mw, average_mw=None):
    others = tuple(Rail(name, 1000) for name in ("CPU", "SOC", "CV", "VDDRQ", "SYS5V"))
    return Sample(int(time_s * SECOND_NS), (Rail("GPU", gpu_mw, average_mw), *others))


def test_energy_is_a_trapezoid_over_the_window():
    samples = [xavier(0, 0), xavier(1, 4000), xavier(2, 4000), xavier(4, 8000)]
    found = summarise(samples, SECOND_NS, 3 * SECOND_NS, frames=10)
    gpu = found.rails["GPU"]
    assert gpu.energy_j == pytest.approx(4 + 5)  # 4 W for a second, then 4 W rising to 6 W
    assert gpu.mean_w == pytest.approx(4.5)
    assert gpu.peak_w == pytest.approx(6)
    assert found.rails["total"].energy_j == pytest.approx(9 + 2 * 5)
    assert found.joules_a_frame == pytest.approx(1.9)


def test_the_thesis_figure_is_the_largest_running_average():
    found = summarise([xavier(0, 100, 50), xavier(1, 900, 450), xavier(2, 100, 350)], 0, SECOND_NS, 1)
    assert found.gpu_max_avg_w == pytest.approx(0.45)


def test_samples_that_do_not_cover_the_window_give_a_reason_not_zero():
    found = summarise([xavier(0, 1), xavier(1, 1)], 0, 2 * SECOND_NS, 5)
    assert (found.rails, found.joules_a_frame) == ({}, None)
    assert "do not cover" in found.reason
    with pytest.raises(UsageError, match="window is empty"):
        summarise([], 5, 5, 1)


def test_a_board_of_unknown_rails_has_no_total():
    samples = [Sample(0, (Rail("VDD_GPU_SOC", 5),)), Sample(SECOND_NS, (Rail("VDD_GPU_SOC", 5),))]
    found = summarise(samples, 0, SECOND_NS, 3)
    assert "total" not in found.rails
    assert found.joules_a_frame is None


def run(*argv):
    return cli.run(main, _arguments(), ["--quiet", "power", *map(str, argv)])


def test_the_command_watches_sysfs(tmp_path, capsys):
    folder = "1-0041/iio:device1"
    ina(tmp_path, {f"{folder}/rail_name_0": "VDD_IN", f"{folder}/in_power0_input": "2500"})
    assert run("--root", tmp_path, "--seconds", 0.05, "--interval-s", 0.01, "--out", tmp_path / "power.json") == 0
    assert "VDD_IN              2.500    2.500    2.500" in capsys.readouterr().out
    document = json.loads((tmp_path / "power.json").read_text())
    assert document["power"]["rails"]["total"]["mean_w"] == pytest.approx(2.5)
    assert len(document["samples"]) >= 2


def fake_tegrastats(tmp_path, body):
    path = tmp_path / "tegrastats"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_the_command_reads_the_program_and_stops_it(tmp_path, capsys):
    line = LINES[5]["line"]
    program = fake_tegrastats(tmp_path, f"while true; do echo '{line}'; sleep 0.01; done")
    assert run("--probe", "tegrastats", "--tegrastats", program, "--seconds", 0.05) == 0
    assert "VDD_IN              2.763" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "complaint"),
    [("exit 3", "ended with code 3"), ("echo RAM 1/2MB; sleep 1", "no power rail")],
    ids=["dies", "without rights"],
)
def test_a_program_that_dies_or_shows_no_rails_is_an_error(tmp_path, capsys, body, complaint):
    assert run("--probe", "tegrastats", "--tegrastats", fake_tegrastats(tmp_path, body)) == 8
    assert complaint in capsys.readouterr().err


def test_a_machine_without_sensors_says_so(tmp_path, capsys):
    assert run("--root", tmp_path) == 8
    assert run("--probe", "tegrastats", "--tegrastats", tmp_path / "none") == 8
    assert "cannot run" in capsys.readouterr().err
