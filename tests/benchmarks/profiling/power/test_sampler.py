from __future__ import annotations

import os
import shlex
import sys
import threading
import time

import pytest

from benchmarks.profiling.power.ina3221 import Ina3221
from benchmarks.profiling.power.probe import ProbeChoice, open_probe
from benchmarks.profiling.power.sampler import Sampler
from benchmarks.profiling.power.tegrastats_process import Tegrastats
from benchmarks.profiling.power.watched import watching
from siamtrt import MissingDependencyError, ProbeError
from tests.benchmarks.profiling.power.boards import FOR_EVER, SIX, hwmon, iio, program

FAST = FOR_EVER.format(0.005)


def started(command, interval_s=0.01, silence_s=10.0):
    return Tegrastats(shlex.split(command), interval_s, silence_s)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_lines_are_readings_and_the_interval_is_asked_for(tmp_path):
    probe = started(program(tmp_path, "assert sys.argv[1:] == ['--interval', '25']\n" + FAST), 0.025)
    readings = [probe.read() for _ in range(3)]
    probe.close()
    assert [rail.name for rail in readings[2].rails] == list(SIX)
    assert (readings[2].gpu_mhz, readings[2].temperatures_c["GPU"]) == (114, 35)


def test_a_line_may_come_in_pieces(tmp_path):
    pieces = "os.write(1, line[:60].encode()); time.sleep(0.05); show(line[60:]); time.sleep(60)"
    probe = started(program(tmp_path, pieces))
    assert len(probe.read().rails) == 6
    probe.close()


def test_of_lines_that_come_at_once_the_last_is_taken_since_only_its_time_is_known(tmp_path):
    at_once = (
        "os.write(1, b'VDD_IN 1/1\\nVDD_IN 2/2\\nVDD_IN 3/3\\nVDD_IN 4'); time.sleep(0.2); show('/4'); time.sleep(60)"
    )
    probe = started(program(tmp_path, at_once))
    assert [probe.read().rails[0].power_mw for _ in range(2)] == [3, 4]
    probe.close()


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("sys.exit(3)", "tegrastats ended with code 3"),
        ("show(line); sys.exit(0)", "tegrastats ended with code 0"),
        ("os.write(1, line.encode()); sys.exit(0)", "tegrastats ended with code 0"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "tegrastats ended with code -9"),
        ("show('RAM 1/2MB'); time.sleep(60)", "no power rail in the tegrastats line 'RAM 1/2MB'"),
        ("os.write(1, b'\\xff\\x00' * 10 + b'\\n'); time.sleep(60)", "no power rail"),
        ("os.write(1, b'GPU 1/1 ' * 20000); time.sleep(60)", "without an end of line"),
    ],
    ids=["dies", "dies later", "dies within a line", "killed", "without rights", "garbage", "endless line"],
)
def test_a_program_that_cannot_be_read_ends_the_sampling_with_its_reason(tmp_path, body, complaint):
    with Sampler(started(program(tmp_path, body))) as sampler:
        sampler.wait(20)
        assert complaint in sampler.error


def test_a_program_that_hangs_is_noticed_and_ended(tmp_path):
    probe = started(program(tmp_path, "show(line); time.sleep(600)"), silence_s=0.2)
    with Sampler(probe) as sampler:
        sampler.wait(20)
        assert len(sampler.samples) == 1
        assert "printed nothing for 0.21 s" in sampler.error
    assert probe._process.returncode is not None


def test_a_program_that_will_not_stop_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.profiling.power.tegrastats_process._FAREWELL_S", 0.1)
    deaf = "for number in (signal.SIGTERM, signal.SIGPIPE):\n    signal.signal(number, signal.SIG_IGN)\n"
    probe = started(program(tmp_path, deaf + "show(line); time.sleep(600)"))
    probe.read()
    probe.close()
    assert probe._process.returncode == -9


def test_no_process_and_no_thread_is_left(tmp_path):
    probe = started(program(tmp_path, FAST))
    with pytest.raises(KeyboardInterrupt), Sampler(probe):
        raise KeyboardInterrupt
    assert not is_running(probe._process.pid)
    assert "power" not in [thread.name for thread in threading.enumerate()]


def test_samples_cover_what_happens_between_entering_and_stopping(tmp_path):
    with Sampler(Ina3221(hwmon(tmp_path), interval_s=0.2)) as sampler:
        started_ns = time.perf_counter_ns()
        time.sleep(0.02)
        ended_ns = time.perf_counter_ns()
        sampler.stop()
    times = [sample.time_ns for sample in sampler.samples]
    assert times[0] <= started_ns < ended_ns < times[-1]
    assert sampler.error is None


def test_samples_are_taken_at_the_interval(tmp_path):
    with Sampler(Ina3221(hwmon(tmp_path), interval_s=0.01)) as sampler:
        sampler.wait(0.3)
        sampler.stop()
    assert 5 <= len(sampler.samples) <= 33


def test_the_first_probe_that_works_is_taken(tmp_path):
    choice = ProbeChoice(root=iio(tmp_path / "board"), tegrastats=program(tmp_path, FAST), interval_s=0.01)
    for found, name in (
        (open_probe(choice), "ina3221"),
        (open_probe(ProbeChoice("tegrastats", tmp_path, choice.tegrastats)), "tegrastats"),
    ):
        assert found.name == name
        found.close()
    found = open_probe(ProbeChoice("auto", tmp_path / "laptop", choice.tegrastats, 0.01))
    assert found.name == "tegrastats"
    found.close()


def test_without_any_the_reasons_of_all_are_given(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jtop", None)
    with pytest.raises(ProbeError, match=r"no INA3221 power monitor; cannot run none: No such file.*; jtop is not"):
        open_probe(ProbeChoice("auto", tmp_path, "none"))
    with pytest.raises(MissingDependencyError):
        open_probe(ProbeChoice("jtop"))


def test_a_program_without_rights_is_closed_again(tmp_path):
    marker = tmp_path / "pid"
    command = program(
        tmp_path, f"open({str(marker)!r}, 'w').write(str(os.getpid())); show('RAM 1/2MB'); time.sleep(60)"
    )
    with pytest.raises(ProbeError, match="rails need root on JetPack 5"):
        open_probe(ProbeChoice("tegrastats", tmp_path, command))
    assert not is_running(int(marker.read_text()))


def test_a_run_without_sensors_goes_on_and_keeps_the_reason(tmp_path):
    with watching(ProbeChoice("auto", tmp_path, "none"), idle_s=5) as watched:
        watched.finish()
    assert watched.readings([(0, 1)]) == ()
    report = watched.report([(0, 1)], frames=1, timed_ns=1, origin_ns=0)
    assert report.load is None
    assert "no INA3221" in report.reasons["load"]


def test_a_probe_asked_for_by_name_that_does_not_work_is_an_error(tmp_path):
    with pytest.raises(ProbeError, match="no INA3221"), watching(ProbeChoice("ina3221", tmp_path), idle_s=5):
        pass
    with watching(ProbeChoice("none"), idle_s=5) as watched:
        report = watched.report([], frames=0, timed_ns=0, origin_ns=0)
    assert report.reasons == {"load": "power was not asked for"}


def test_idle_and_load_of_a_watched_run(tmp_path):
    with watching(ProbeChoice("ina3221", iio(tmp_path), interval_s=0.01), idle_s=0.05) as watched:
        time.sleep(0.1)  # for a sample between the two, since power at the borders is interpolated
        iio(tmp_path, milliwatts=1310)
        time.sleep(0.1)
        started_ns = time.perf_counter_ns()
        time.sleep(0.05)
        ended_ns = time.perf_counter_ns()
        watched.finish()
        report = watched.report([(started_ns, ended_ns)], frames=5, timed_ns=1, origin_ns=started_ns)
    assert report.idle["GPU"].mean_w == pytest.approx(0.310)
    assert report.load["GPU"].mean_w == pytest.approx(1.310)
    assert report.joules_a_frame == pytest.approx((6 * 1.31 + 0.015) * (ended_ns - started_ns) / 1e9 / 5)
