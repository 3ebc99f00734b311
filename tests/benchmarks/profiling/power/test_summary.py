from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from benchmarks.profiling.power.energy import Sample
from benchmarks.profiling.power.power_report import PowerReport
from benchmarks.profiling.power.rails import Rail, Reading
from benchmarks.profiling.power.summary import Recording, report_of
from siamtrt import documents
from tests.benchmarks.profiling.power.boards import SECOND_NS, SIX, xavier

REST = [xavier(at / 10, 1000, 1000, 114) for at in range(11)]
LOAD = [xavier(1.1 + at / 10, 5000, 3000 + at, 1377) for at in range(20)]
RECORDING = Recording("tegrastats", 0.1, (*REST, *LOAD), None, (0, SECOND_NS))
WINDOWS = [(round(1.2 * SECOND_NS), round(1.7 * SECOND_NS)), (2 * SECOND_NS, round(2.5 * SECOND_NS))]


def summed(recording=RECORDING, windows=WINDOWS, frames=50, origin_ns=0):
    return report_of(recording, windows, frames=frames, timed_ns=SECOND_NS * 3 // 4, origin_ns=origin_ns)


def test_load_idle_and_joules_of_a_known_run():
    found = summed()
    assert found.load["GPU"].mean_w == pytest.approx(5)
    assert found.load["total"].energy_j == pytest.approx(10)
    assert found.idle["total"].mean_w == pytest.approx(6)
    assert found.joules_a_frame == pytest.approx(10 / 50)
    assert found.joules_a_frame_above_idle == pytest.approx((10 - 6) / 50)
    assert found.timed_share == pytest.approx(0.75)
    assert found.total_rails == SIX
    assert "155 mW" in found.note
    assert (found.reasons, found.left_out) == ({}, 0)


def test_the_thesis_figure_is_the_largest_running_average_of_the_gpu_in_the_run():
    # 3000 mW at 1.1 s, one more with each tenth of a second; the windows end at 2.5 s.
    assert summed().gpu_max_avg_w == pytest.approx(3.014)


def test_times_count_from_the_origin():
    found = summed(origin_ns=SECOND_NS)
    assert found.windows_ns == ((200_000_000, 700_000_000), (SECOND_NS, 1_500_000_000))
    assert found.idle_window_ns == (-SECOND_NS, 0)
    assert found.samples.time_ns[:2] == (-SECOND_NS, -900_000_000)
    assert found.samples.power_mw["GPU"][9:12] == (1000, 1000, 5000)
    assert (found.samples.gpu_mhz[0], found.samples.gpu_mhz[-1]) == (114, 1377)


def test_a_report_comes_back_from_json():
    found = summed()
    assert documents.build(PowerReport, json.loads(json.dumps(asdict(found), allow_nan=False))) == found
    absent = PowerReport.absent("no sensor")
    assert documents.build(PowerReport, json.loads(json.dumps(asdict(absent)))) == absent


def unknown(report):
    return {name for name, value in vars(report).items() if value is None}


def test_every_figure_that_is_none_has_its_reason():
    for recording, windows in (
        (replace(RECORDING, idle=None), WINDOWS),
        (replace(RECORDING, samples=RECORDING.samples[:15]), WINDOWS),
        (replace(RECORDING, samples=()), WINDOWS),
        (RECORDING, []),
    ):
        found = summed(recording, windows)
        assert unknown(found) - {"note", "idle_window_ns"} == set(found.reasons)


def test_a_probe_that_ended_early_gives_its_own_reason_and_keeps_its_samples():
    died = replace(RECORDING, samples=RECORDING.samples[:15], error="tegrastats ended with code 3")
    found = summed(died)
    assert found.load is None
    assert found.reasons["load"].endswith("do not cover the measured window: tegrastats ended with code 3")
    assert found.idle["GPU"].mean_w == pytest.approx(1)
    assert (found.joules_a_frame, found.joules_a_frame_above_idle) == (None, None)
    assert len(found.samples.time_ns) == 15


def test_a_silence_inside_the_run_is_no_straight_line():
    silent = replace(RECORDING, samples=(*RECORDING.samples[:13], xavier(2.6, 5000)))
    assert "no power was read for 1.4 s" in summed(silent).reasons["load"]


def test_without_rest_only_the_idle_figures_are_missing():
    found = summed(replace(RECORDING, idle=None))
    assert found.joules_a_frame == pytest.approx(0.2)
    assert set(found.reasons) == {"idle", "joules_a_frame_above_idle"}


def test_a_board_without_known_total_has_rails_but_no_joules():
    samples = tuple(Sample(at * SECOND_NS // 10, Reading((Rail("VDD_CPU", 2000),), None, {})) for at in range(31))
    found = summed(replace(RECORDING, probe="ina3221", samples=samples))
    assert found.load["VDD_CPU"].energy_j == pytest.approx(2)
    assert set(found.reasons) == {"total_rails", "joules_a_frame", "joules_a_frame_above_idle", "gpu_max_avg_w"}


def test_readings_of_other_rails_are_left_out_and_counted():
    odd = Sample(round(1.45 * SECOND_NS), Reading((Rail("GPU", 0),), None, {}))
    samples = sorted((*RECORDING.samples, odd), key=lambda sample: sample.time_ns)
    found = summed(replace(RECORDING, samples=tuple(samples)))
    assert found.left_out == 1
    assert found.load["GPU"].mean_w == pytest.approx(5)
