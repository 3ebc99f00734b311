"""What every power probe keeps to: a probe is done when its rows are green."""

from __future__ import annotations

import sys

import pytest

from benchmarks.profiling.power.probe import PROBES, ProbeChoice, open_probe
from benchmarks.profiling.power.sampler import Sampler
from siamtrt import MissingDependencyError, ProbeError
from tests.benchmarks.profiling.power.boards import FOR_EVER, SIX, hwmon, iio, program
from tests.benchmarks.profiling.power.test_jtop import module, rail

BOARDS = ("ina3221 hwmon", "ina3221 iio", "tegrastats", "jtop")


@pytest.fixture(params=BOARDS)
def choice(request, tmp_path, monkeypatch):
    """A machine on which one probe works, and the choice of that probe."""
    name = request.param.split()[0]
    root = {"ina3221 hwmon": hwmon, "ina3221 iio": iio}.get(request.param, lambda root: root)(tmp_path / "board")
    command = program(tmp_path, FOR_EVER.format(0.005)) if name == "tegrastats" else "absent-tegrastats"
    rails = {"rail": {rail_name: rail(310) for rail_name in SIX}}
    monkeypatch.setitem(sys.modules, "jtop", module(power=rails) if name == "jtop" else None)
    return ProbeChoice(name, root, command, interval_s=0.01)


@pytest.fixture
def probe(choice):
    opened = open_probe(choice)
    yield opened
    opened.close()


def test_it_is_known_by_the_name_that_chooses_it(probe, choice):
    assert probe.name == choice.name
    assert probe.name in PROBES


def test_readings_are_whole_milliwatts_of_the_boards_own_rails(probe):
    for reading in (probe.read(), probe.read()):
        assert [rail.name for rail in reading.rails] == list(SIX)
        assert all(type(rail.power_mw) is int and rail.power_mw >= 0 for rail in reading.rails)
        assert all(rail.average_mw is None or type(rail.average_mw) is int for rail in reading.rails)
        assert reading.gpu_mhz is None or reading.gpu_mhz > 0


def test_it_keeps_the_pace_or_says_how_long_to_wait(probe):
    assert probe.pause_s in (0.0, 0.01)


def test_it_may_be_closed_twice(choice):
    opened = open_probe(choice)
    opened.close()
    opened.close()


def test_auto_takes_it_where_it_alone_works(choice):
    opened = open_probe(ProbeChoice(root=choice.root, tegrastats=choice.tegrastats, interval_s=choice.interval_s))
    assert opened.name == choice.name
    opened.close()


def test_it_can_be_read_by_another_thread(choice):
    with Sampler(open_probe(choice)) as sampler:
        sampler.wait(0.05)
        sampler.stop()
    assert sampler.error is None
    assert len(sampler.samples) >= 2
    assert [sample.time_ns for sample in sampler.samples] == sorted(sample.time_ns for sample in sampler.samples)


@pytest.mark.parametrize("name", PROBES)
def test_a_machine_without_it_is_told_so_with_a_way_out(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jtop", None)
    with pytest.raises((ProbeError, MissingDependencyError)) as caught:
        open_probe(ProbeChoice(name, tmp_path, "absent-tegrastats"))
    assert caught.value.hint
