from __future__ import annotations

import json

import pytest

pytest.importorskip("pymoo", reason="searching needs requirements/architectures.txt")

from architectures.__main__ import COMMANDS
from architectures.search import FORMAT
from architectures.verify import hypervolume
from siamtrt import cli


def test_the_area_below_a_front():
    points = [(20, 1 - 0.30), (10, 1 - 0.40), (14, 1 - 0.35), (15, 1 - 0.45), (30, 0.99)]
    assert hypervolume(points, price=25, worst=0.5) == pytest.approx(2.30)


def run(folder, overlap, judged=10, **conditions):
    row = {"milliseconds": None, "macs": 400_000_000, "overlap": overlap, "overlap_b": overlap - 0.1}
    document = {"front": [row], "judged": judged, "largest": {}, "conditions": {"latency": None, **conditions}}
    FORMAT.save(folder / "front.json", document)
    return str(folder)


def verify(tmp_path, searched, drawn):
    words = ["verify", "--searched", *searched, "--random", *drawn, "--price", "600", "--out", str(tmp_path / "v.json")]
    return cli.run_table("architectures", "", COMMANDS, words)


def test_five_better_runs_against_five_are_not_chance(tmp_path, capsys):
    searched = [run(tmp_path / f"s{number}", 0.7 + number / 100) for number in range(5)]
    drawn = [run(tmp_path / f"r{number}", 0.6 + number / 100) for number in range(5)]
    assert verify(tmp_path, searched, drawn) == 0
    measures = json.loads((tmp_path / "v.json").read_text())["measures"]
    assert measures["best_b"]["p"] == pytest.approx(0.0079, abs=1e-4)
    assert measures["hypervolume_a"]["searched"][0] == pytest.approx(200 * 0.7)
    assert measures["hypervolume_b"]["random"][4] == pytest.approx(200 * 0.54)
    assert "p 0.0079" in capsys.readouterr().out


def test_runs_of_unequal_length_are_not_compared(tmp_path, capsys):
    assert verify(tmp_path, [run(tmp_path / "s", 0.7)], [run(tmp_path / "r", 0.6, judged=11)]) == 2
    assert "judged [10, 11] networks" in capsys.readouterr().err


def test_runs_that_price_by_different_tables_are_not_compared(tmp_path, capsys):
    searched, drawn = run(tmp_path / "s", 0.7, latency="a digest"), run(tmp_path / "r", 0.6)
    assert verify(tmp_path, [searched], [drawn]) == 2
    assert "the runs differ in latency" in capsys.readouterr().err
