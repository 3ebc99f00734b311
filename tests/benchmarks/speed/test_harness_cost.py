from __future__ import annotations

import json

import pytest

from benchmarks.__main__ import _arguments, main
from benchmarks.speed.harness_cost import measure
from siamtrt import UsageError, cli
from tests.benchmarks.speed.clips import write_kept

# Two hundredths of NanoTrackV3's frame, 1.76 ms on one thread of the machine of the README.
LIMIT_MS = 0.02 * 1.76


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_kept(tmp_path_factory.mktemp("clip"))


def test_the_harness_takes_less_than_two_hundredths_of_a_small_network(tiny_engines, clip):
    found = measure(tiny_engines, clip, frames=20, rounds=20, threads=1)
    assert 0 < found.own_ms < LIMIT_MS
    assert found.own_share == pytest.approx(found.own_ms / found.bare_ms)
    assert (found.rounds, found.updates) == (20, 19)
    low, high = found.seen_share_quartiles
    assert low <= found.seen_share <= high


def test_the_command_prints_and_writes_it(tiny_engines, clip, tmp_path, capsys):
    argv = ["--quiet", "harness-cost", "--engines", str(tiny_engines), "--clip", str(clip), "--rounds", "4"]
    assert cli.run(main, _arguments(), [*argv, "--frames", "5", "--out", str(tmp_path / "cost.json")]) == 0
    assert "the harness for a frame" in capsys.readouterr().out
    document = json.loads((tmp_path / "cost.json").read_text())
    assert document["updates"] == 4
    assert document["engines_manifest"]["stage"] == "engines"
    assert cli.run(main, _arguments(), [*argv, "--frames", "1"]) == 2


def test_a_clip_in_which_the_target_is_lost_compares_nothing(tiny_engines, tmp_path):
    write_kept(tmp_path, lost_at=5)
    with pytest.raises(UsageError, match="loses the target"):
        measure(tiny_engines, tmp_path, frames=20, rounds=4, threads=1)
