from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.profiling.power.rails import Reading
from benchmarks.profiling.speed.conditions import MachineState, conditions_of, read_state, warn_before
from tests.benchmarks.profiling.power.boards import write

XAVIER = {
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1190400\n",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "2265600\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "schedutil\n",
    "sys/class/devfreq/17000000.gv11b/cur_freq": "1377000000\n",
    "sys/class/devfreq/17000000.gv11b/min_freq": "114750000\n",
    "sys/class/devfreq/17000000.gv11b/max_freq": "1377000000\n",
    "sys/class/devfreq/15340000.vic/cur_freq": "115200000\n",
    "sys/class/thermal/thermal_zone0/type": "CPU-therm\n",
    "sys/class/thermal/thermal_zone0/temp": "36500\n",
    "sys/class/thermal/thermal_zone1/type": "GPU-therm\n",
    "sys/class/thermal/thermal_zone1/temp": "35000\n",
    "sys/class/thermal/thermal_zone2/type": "CV-therm\n",
    "sys/class/thermal/thermal_zone2/temp": "-256000\n",
    "sys/class/thermal/cooling_device0/type": "pwm-fan\n",
    "sys/class/thermal/cooling_device0/cur_state": "4\n",
    "sys/class/thermal/cooling_device1/type": "gpu-balanced\n",
    "sys/class/thermal/cooling_device1/cur_state": "0\n",
    "sys/class/hwmon/hwmon4/oc1_event_cnt": "1\n",
    "sys/class/hwmon/hwmon4/oc3_event_cnt": "2\n",
    "var/lib/nvpmodel/status": "pmode:0003 fmode:fanNull\n",
    "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=3 NAME=MODE_30W_ALL >\n",
}


def test_an_agx_xavier(tmp_path):
    state = read_state(write(tmp_path, XAVIER))
    cooling = {"gpu-balanced": 0}
    assert state == MachineState((1190.4, 2265.6), 1377, {"CPU-therm": 36.5, "GPU-therm": 35}, cooling, 3)
    found = conditions_of([state, state], root=tmp_path)
    assert found.power_mode == "3 MODE_30W_ALL"
    assert (found.cpu_mhz, found.gpu_mhz, found.governor) == ((1190.4, 2265.6), (1377, 1377), "schedutil")
    assert found.gpu_clock_fixed is False
    assert found.doubts[0].startswith("the GPU's clock was free to change, seen at 1377 to 1377 MHz: run nvpmodel")
    assert found.reasons == {}


def test_jetson_clocks_fixes_the_clock(tmp_path):
    write(tmp_path, {**XAVIER, "sys/class/devfreq/17000000.gv11b/min_freq": "1377000000\n"})
    found = conditions_of([read_state(tmp_path)], root=tmp_path)
    assert found.gpu_clock_fixed is True
    assert (found.throttling, found.doubts) == ((), ())


FIXED = {**XAVIER, "sys/class/devfreq/17000000.gv11b/min_freq": "1377000000\n"}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "sys/class/devfreq/17000000.gv11b/cur_freq",
            "905250000",
            "the GPU ran at 905 MHz, though its clock is fixed at",
        ),
        ("sys/class/thermal/cooling_device1/cur_state", "2", "gpu-balanced slowed the machine down, step 2"),
        ("sys/class/hwmon/hwmon4/oc3_event_cnt", "6", "4 alarms of too much current"),
    ],
)
def test_a_machine_that_is_held_back_during_a_run_is_told(tmp_path, name, text, said):
    before = read_state(write(tmp_path, FIXED))
    during = read_state(write(tmp_path, {name: text}))
    after = read_state(write(tmp_path, {name: FIXED[name]} if "oc3" not in name else {}))
    found = conditions_of([before, during, after], root=tmp_path)
    assert len(found.doubts) == 1
    assert found.doubts[0].startswith(said)


def test_a_reading_rounded_down_is_no_throttling(tmp_path):
    state = read_state(write(tmp_path, FIXED))
    readings = [Reading((), 1368, {}), Reading((), 1377, {})]
    assert conditions_of([state, state], readings, tmp_path).throttling == ()
    readings = [Reading((), 1224, {}), Reading((), 1377, {})]
    assert "1224 MHz" in conditions_of([state, state], readings, tmp_path).throttling[0]


def test_the_machine_is_looked_at_before_a_benchmark(tmp_path, caplog):
    with caplog.at_level("INFO"):
        warn_before(write(tmp_path, XAVIER))
        assert "power mode 3 MODE_30W_ALL, governor schedutil" in caplog.text
        assert "the GPU's clock was free to change" in caplog.text
        caplog.clear()
        warn_before(write(tmp_path, FIXED))
        assert [record.levelname for record in caplog.records] == ["INFO"]
        caplog.clear()
        warn_before(tmp_path / "laptop")
        assert caplog.text == ""


def test_clocks_are_a_range_and_temperatures_are_of_start_and_end(tmp_path):
    states = [
        MachineState((1000.0,), 800.0, {"GPU": 30.0}),
        MachineState((900.0, 1200.0), 114.0, {"GPU": 60.0}),
        MachineState((1100.0,), 1377.0, {"GPU": 50.0}),
    ]
    found = conditions_of(states, root=tmp_path)
    assert (found.cpu_mhz, found.gpu_mhz) == ((900, 1200), (114, 1377))
    assert (found.temperatures_start_c, found.temperatures_end_c) == ({"GPU": 30}, {"GPU": 50})


def test_what_sysfs_does_not_show_tegrastats_may(tmp_path):
    blind = MachineState((), None, {})
    readings = [Reading((), clock, {"GPU": degrees}) for clock, degrees in ((318, 41.0), (1377, 44.0), (None, 43.0))]
    found = conditions_of([blind, blind], readings, tmp_path)
    assert found.gpu_mhz == (318, 1377)
    assert (found.temperatures_start_c, found.temperatures_end_c) == ({"GPU": 41}, {"GPU": 43})


def test_a_machine_that_tells_nothing_has_a_reason_for_each(tmp_path):
    found = conditions_of([read_state(tmp_path)], root=tmp_path)
    fields = {name: value for name, value in vars(found).items() if name != "reasons"}
    assert set(fields.values()) == {None}
    assert set(found.reasons) == set(fields)


def test_a_laptop_without_cpufreq_shows_the_clock_in_cpuinfo(tmp_path):
    write(tmp_path, {"proc/cpuinfo": "processor\t: 0\ncpu MHz\t\t: 2596.124\nflags\t: x\ncpu MHz\t\t: 800\n"})
    assert read_state(tmp_path).cpu_mhz == (2596.124, 800)


def test_an_unknown_power_mode_keeps_its_number(tmp_path):
    write(tmp_path, {"var/lib/nvpmodel/status": "pmode:0007\n"})
    assert conditions_of([read_state(tmp_path)], root=tmp_path).power_mode == "7"


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    return write(tmp_path_factory.mktemp("board"), XAVIER)


@settings(deadline=None)
@given(
    text=st.one_of(st.binary(max_size=30), st.text("-+0123456789 _.\n", max_size=20).map(str.encode)),
    name=st.sampled_from(sorted(XAVIER)),
)
def test_garbage_in_a_file_is_nothing_known_and_never_a_crash(board, text, name):
    write(board, {name: text})
    state = read_state(board)
    found = conditions_of([state, state], root=board)
    write(board, {name: XAVIER[name]})
    unknown = {field for field, value in vars(found).items() if value is None}
    assert unknown == set(found.reasons)
    assert all(-50 <= degrees < 1e9 for degrees in state.temperatures_c.values())
