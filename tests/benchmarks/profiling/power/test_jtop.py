from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.profiling.power.jtop import Jtop, parse_power
from benchmarks.profiling.power.rails import Rail
from siamtrt import MissingDependencyError, ProbeError


class JtopError(Exception):
    pass


def rail(power, **more):
    return {"volt": 19000, "curr": 24, "power": power, "avg": 1, "online": True, "type": "INA3221", **more}


class Client:
    """The client of jetson-stats 4 and later, as far as it is used."""

    power = start_error = ok_error = None
    going = True
    closed = 0

    def __init__(self, interval):
        self.interval = interval

    def start(self):
        if self.start_error:
            raise self.start_error

    def ok(self):
        if self.ok_error:
            raise self.ok_error
        return self.going

    def close(self):
        type(self).closed += 1


def module(**changes):
    power = {"rail": {"GPU": rail(467), "CPU": rail(310)}, "tot": {"power": 99_999, "avg": 5}}
    changes = {"power": power, **changes}
    return SimpleNamespace(jtop=type("Played", (Client,), changes), JtopException=JtopError, __version__="4.3.2")


def test_rails_are_the_boards_own_and_neither_average_nor_total_are_taken():
    probe = Jtop(0.25, module())
    assert probe._client.interval == 0.25
    assert probe.read().rails == (Rail("GPU", 467), Rail("CPU", 310))


def test_the_client_is_closed():
    played = module()
    Jtop(module=played).close()
    assert played.jtop.closed == 1


def test_a_rail_that_is_offline_is_none():
    power = {"rail": {"GPU": rail(467), "CV": rail(0, online=False)}}
    assert parse_power(power, "4.3.2") == [Rail("GPU", 467)]


@pytest.mark.parametrize(
    "reason",
    ["Mismatch version jtop service: [4.2.1] and client: [4.3.2]", "The jtop.service is not active.\nPlease run it"],
)
def test_another_version_of_the_service_or_none_is_said(reason):
    with pytest.raises(
        ProbeError, match=r"jtop 4\.3\.2 does not start: " + reason.split("\n")[0].replace("[", r"\[")
    ) as raised:
        Jtop(module=module(start_error=JtopError(reason)))
    assert "\n" not in raised.value.problem
    assert "one version" in raised.value.hint


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), ConnectionRefusedError(), EOFError()])
def test_a_socket_that_cannot_be_used_is_said(error):
    with pytest.raises(ProbeError, match="does not start"):
        Jtop(module=module(start_error=error))


@pytest.mark.parametrize("changes", [{"ok_error": JtopError("Lost connection with jtop server")}, {"going": False}])
def test_a_service_that_goes_away_is_said(changes):
    probe = Jtop(module=module(**changes))
    with pytest.raises(ProbeError, match=r"jtop 4\.3\.2 (stopped: Lost connection|gives no more readings)"):
        probe.read()


@pytest.mark.parametrize(
    "power",
    [
        (3346, {"GPU": {"cur": 467, "avg": 467}}),  # the pair of jetson-stats 3
        {"GPU": {"cur": 467}},
        {"rail": {}},
        {"rail": {"GPU": {"cur": 467}}},
        {"rail": {"GPU": {"power": "467"}}},
        {"rail": {"GPU": {"power": True}}},
        {"rail": {"GPU": 467}},
        {"rail": [467]},
        None,
    ],
)
def test_power_as_another_version_describes_it_is_an_error(power):
    with pytest.raises(ProbeError, match=r"jtop 4\.3\.2 "):
        Jtop(module=module(power=power)).read()


def test_a_module_without_the_interface_is_an_error():
    with pytest.raises(ProbeError, match=r"jtop 1\.0 is not the interface we know"):
        Jtop(module=SimpleNamespace(__version__="1.0"))
    with pytest.raises(ProbeError, match="jtop unknown is not the interface"):
        Jtop(module=SimpleNamespace(JtopException=JtopError, jtop=lambda: None))


def test_without_the_package_the_way_out_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jtop", None)
    with pytest.raises(MissingDependencyError, match="pip install jetson-stats"):
        Jtop()


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
NAMES = st.sampled_from(["rail", "power", "GPU", "online", "tot"])
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)


@settings(deadline=None)
@given(ANYTHING)
def test_garbage_raises_or_reads_whole_milliwatts(power):
    try:
        rails = parse_power(power, "9")
    except ProbeError:
        return
    assert rails
    assert all(isinstance(found.power_mw, int) and math.isfinite(found.power_mw) for found in rails)
