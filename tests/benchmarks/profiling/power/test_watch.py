from __future__ import annotations

import json
import sys

import pytest

from benchmarks.__main__ import COMMANDS
from benchmarks.profiling.power.probe import ProbeChoice
from benchmarks.profiling.power.watched import watch
from siamtrt import cli
from tests.benchmarks.profiling.power.boards import FOR_EVER, hwmon, iio, program


def run(*argv):
    return cli.run_table("benchmarks", "", COMMANDS, ["--quiet", "power", *map(str, argv)])


def test_the_command_watches_sysfs(tmp_path, capsys):
    iio(tmp_path, ["VDD_IN"], 2500)
    assert run("--root", tmp_path, "--seconds", 0.1, "--interval-s", 0.01, "--out", tmp_path / "power.json") == 0
    assert "VDD_IN              2.500    2.500    2.500" in capsys.readouterr().out
    document = json.loads((tmp_path / "power.json").read_text())
    assert (document["schema"], document["kind"]) == (1, "power")
    assert document["report"]["load"]["total"]["mean_w"] == pytest.approx(2.5)
    assert len(document["report"]["samples"]["time_ns"]) >= 2
    assert document["report"]["timed_share"] is None
    assert "board" in document["environment"]


def test_the_command_reads_the_program(tmp_path, capsys):
    command = program(tmp_path, FOR_EVER.format(0.01))
    assert run("--probe", "tegrastats", "--tegrastats", command, "--seconds", 0.1) == 0
    out = capsys.readouterr().out
    assert "total               5.258" in out
    assert "tegrastats: " in out


def test_a_program_that_dies_while_watched_is_an_error(tmp_path, capsys):
    command = program(tmp_path, "for _ in range(5):\n    show(line)\n    time.sleep(0.01)\nsys.exit(3)")
    assert run("--probe", "tegrastats", "--tegrastats", command, "--seconds", 60, "--out", tmp_path / "power.json") == 8
    assert "tegrastats ended with code 3" in capsys.readouterr().err
    assert not (tmp_path / "power.json").exists()


def test_a_machine_without_sensors_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jtop", None)
    assert run("--root", tmp_path, "--tegrastats", tmp_path / "none") == 8
    assert "power is measured on a Jetson; rails need root on JetPack 5" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [
        ("--seconds", 0),
        ("--seconds", "nan"),
        ("--seconds", "inf"),
        ("--seconds", 1e30),
        ("--probe", "none"),
        ("--interval-s", 0),
        ("--interval-s", 2),
        ("--interval-s", "nan"),
    ],
)
def test_what_cannot_be_done_is_refused(tmp_path, argv):
    assert run("--root", iio(tmp_path), *argv) == 2


@pytest.mark.parametrize("command", ["", " ", "'", '"tegrastats'])
def test_a_program_that_is_none_is_refused_whatever_the_probe(tmp_path, command, capsys):
    with pytest.raises(SystemExit, match="2"):
        run("--root", iio(tmp_path), "--tegrastats", command)
    assert f"{command!r} is no command" in capsys.readouterr().err


@pytest.mark.parametrize("probe", ["ina3221", "tegrastats"])
def test_the_reader_costs_less_than_a_hundredth_of_a_core_at_ten_a_second(tmp_path, probe):
    command = program(tmp_path, FOR_EVER.format(0.1))
    choice = ProbeChoice(probe, hwmon(tmp_path), command, 0.1)
    # The best of three: what is left of earlier tests may take processor time of this process meanwhile.
    seen = min((watch(choice, seconds=1) for _ in range(3)), key=lambda one: one.reader_cpu_share)
    assert 5 <= seen.readings_a_second <= 11.1
    assert 0 < seen.reader_cpu_share < 0.01
