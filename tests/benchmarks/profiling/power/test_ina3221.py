from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.profiling.power.ina3221 import Ina3221
from benchmarks.profiling.power.rails import Rail
from siamtrt import ProbeError
from tests.benchmarks.profiling.power.boards import SIX, hwmon, iio, write

CHIP = "sys/bus/i2c/devices/1-0040"


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def read(root):
    probe = Ina3221(root)
    try:
        return probe.read().rails
    finally:
        probe.close()


def test_hwmon_of_jetpack_5_in_the_order_of_addresses(tmp_path):
    # 19 V times 24, 25, ... mA.
    expected = [Rail(name, power) for name, power in zip(SIX, (456, 475, 494, 513, 532, 551))]
    assert read(hwmon(tmp_path)) == tuple(expected)


def test_iio_of_jetpack_4(tmp_path):
    assert read(iio(tmp_path)) == tuple(Rail(name, 310 + at) for at, name in enumerate(SIX))


def test_each_reading_is_new_though_the_files_stay_open(tmp_path):
    probe = Ina3221(iio(tmp_path, ["VDD_IN"], 2500))
    assert probe.read().rails == (Rail("VDD_IN", 2500),)
    iio(tmp_path, ["VDD_IN"], 31)
    assert probe.read().rails == (Rail("VDD_IN", 31),)
    probe.close()


def test_files_are_closed_once(tmp_path):
    before = open_files()
    probe = Ina3221(hwmon(tmp_path))
    assert open_files() == before + 12
    probe.close()
    probe.close()
    assert open_files() == before


def test_channels_that_are_off_or_not_connected_are_no_rails(tmp_path):
    hwmon(tmp_path, ["GPU", "NC", "CPU"])
    write(tmp_path, {f"{CHIP}/hwmon/hwmon3/in3_enable": "0\n", f"{CHIP}/hwmon/hwmon3/in1_enable": "1\n"})
    assert [rail.name for rail in read(tmp_path)] == ["GPU"]


def test_a_current_below_zero_is_read_as_it_is(tmp_path):
    assert read(hwmon(tmp_path, ["GPU"], 19000, -8)) == (Rail("GPU", -152),)


def test_two_rails_of_one_name_are_an_error(tmp_path):
    with pytest.raises(ProbeError, match="two monitors call a rail CPU"):
        Ina3221(hwmon(tmp_path, ["CPU", "GPU", "SOC", "CPU"]))


def test_no_monitor_is_an_error(tmp_path):
    with pytest.raises(ProbeError, match="no INA3221 power monitor"):
        Ina3221(tmp_path)
    write(tmp_path, {f"{CHIP}/name": "tmp451\n", f"{CHIP}/hwmon/hwmon1/in1_label": "GPU\n"})
    with pytest.raises(ProbeError, match="no INA3221 power monitor"):
        Ina3221(tmp_path)


@pytest.mark.parametrize("name", ["in1_label", "in1_input", "curr1_input"])
def test_without_rights_the_reason_is_said(tmp_path, monkeypatch, name):
    """Tests may run as root, who may read all: the kernel's refusal is played."""
    hwmon(tmp_path, ["GPU"])
    real_open, real_text = os.open, Path.read_text

    def guarded(refused, real):
        def call(path, *arguments, **options):
            if Path(path).name == refused:
                raise PermissionError(13, "Permission denied")
            return real(path, *arguments, **options)

        return call

    monkeypatch.setattr(os, "open", guarded(name, real_open))
    monkeypatch.setattr(Path, "read_text", guarded(name, real_text))
    with pytest.raises(ProbeError, match=rf"{name} may not be read: rails need root on JetPack 5"):
        Ina3221(tmp_path)


def test_a_file_that_is_missing_names_itself(tmp_path):
    write(tmp_path, {f"{CHIP}/name": "ina3221\n", f"{CHIP}/hwmon/hwmon3/in1_label": "GPU\n"})
    before = open_files()
    with pytest.raises(ProbeError, match="in1_input: No such file"):
        Ina3221(tmp_path)
    assert open_files() == before


GARBAGE = st.one_of(
    st.binary(max_size=40), st.integers().map(lambda number: f"{number}\n".encode()), st.text("-+0123456789_ .e\n\x00")
)


@pytest.fixture(scope="module")
def nano(tmp_path_factory):
    return iio(tmp_path_factory.mktemp("nano"), ["POM_5V_IN"])


@settings(deadline=None)
@given(text=GARBAGE)
def test_garbage_in_a_file_raises_or_is_the_number_it_says(nano, text):
    write(nano, {f"{CHIP}/iio:device0/in_power0_input": text})
    try:
        (rail,) = read(nano)
    except ProbeError:
        return
    content = text if isinstance(text, bytes) else text.encode()
    assert int(content[:32]) == rail.power_mw
    assert abs(rail.power_mw) < 10**9
