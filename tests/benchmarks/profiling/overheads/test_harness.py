from __future__ import annotations

import json

import pytest

from benchmarks.__main__ import COMMANDS
from benchmarks.profiling.overheads.harness import measure
from benchmarks.profiling.power.probe import ProbeChoice
from runtime.tracker import Tracker
from sequences.annotated import load_sequence
from siamtrt import ProbeError, UsageError, cli
from tests.benchmarks.profiling.power.boards import hwmon
from tests.benchmarks.profiling.speed.clips import write_kept

LIMIT = 0.02  # of a frame of the tiny model in the same run


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_kept(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def tracker(tiny_engines):
    with Tracker.open(tiny_engines, threads=1) as opened:
        yield opened


def test_the_harness_takes_less_than_two_hundredths_of_a_small_network(tracker, clip):
    found = measure(tracker, load_sequence(clip), rounds=20)
    assert 0 < found.own_share < LIMIT
    assert found.own_share == pytest.approx(found.own_ms / found.bare_ms)
    assert (found.rounds, found.updates) == (20, 19)
    low, high = found.seen_share_quartiles
    assert low <= found.seen_share <= high


def test_a_probe_may_be_read_beside(tracker, clip, tmp_path):
    found = measure(tracker, load_sequence(clip), 4, ProbeChoice("ina3221", hwmon(tmp_path / "board"), interval_s=0.01))
    assert found.rounds == 4
    with pytest.raises(ProbeError):
        measure(tracker, load_sequence(clip), 4, ProbeChoice("ina3221", tmp_path / "none"))


def test_the_command_prints_and_writes_it(tiny_engines, clip, tmp_path, capsys):
    argv = ["--quiet", "harness-cost", "--engines", str(tiny_engines), "--clip", str(clip), "--rounds", "4"]
    assert (
        cli.run_table("benchmarks", "", COMMANDS, [*argv, "--frames", "5", "--out", str(tmp_path / "cost.json")]) == 0
    )
    assert "the harness for a frame" in capsys.readouterr().out
    document = json.loads((tmp_path / "cost.json").read_text())
    assert document["updates"] == 4
    assert document["engines_manifest"]["stage"] == "engines"
    assert cli.run_table("benchmarks", "", COMMANDS, [*argv, "--frames", "1"]) == 2


def test_a_clip_in_which_the_target_is_lost_compares_nothing(tracker, tmp_path):
    with pytest.raises(UsageError, match="loses the target"):
        measure(tracker, load_sequence(write_kept(tmp_path, lost_at=5)), rounds=4)
