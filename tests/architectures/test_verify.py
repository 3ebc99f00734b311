from __future__ import annotations

import json

import pytest

pytest.importorskip("pymoo", reason="searching needs requirements/architectures.txt")

from architectures.__main__ import COMMANDS
from architectures.search import FORMAT
from architectures.verify import exact_p, hypervolume
from siamtrt import cli


def test_the_area_below_a_front():
    points = [(20, 1 - 0.30), (10, 1 - 0.40), (14, 1 - 0.35), (15, 1 - 0.45), (30, 0.99)]
    assert hypervolume(points, most=25, worst=0.5) == pytest.approx(2.30)


def test_equal_values_are_not_taken_for_more_than_they_are():
    assert exact_p((5, 4, 3, 2.5, 2.2), (1, 0.5, 0.4, 0.3, 0.2)) == pytest.approx(2 / 252)
    assert exact_p((5, 5, 5, 4, 3), (3, 3, 2, 1, 0)) == pytest.approx(6 / 252)
    assert exact_p((1, 1), (1, 1)) == 1


def run(folder, overlap, judged=10, **conditions):
    row = {"milliseconds": None, "macs": 400_000_000, "overlap": overlap, "overlap_b": overlap - 0.1}
    document = {
        "front": [row],
        "judged": judged,
        "largest": {},
        "run": by(folder.name),
        "conditions": {"latency": None, **conditions},
    }
    FORMAT.save(folder / "front.json", document)
    return str(folder)


def by(name):
    return {"strategy": "random" if name.startswith("r") else "nsga2", "seed": int(name[1:] or 0)}


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


@pytest.mark.parametrize(
    ("searched", "drawn", "words"),
    [
        (("s0", "s0"), ("r0", "r1"), "seed 0 of nsga2 is there twice"),
        (("s0", "r0"), ("r1",), "is a search by random"),
        (("s0",), ("s1",), "is a search by nsga2"),
    ],
)
def test_a_run_is_compared_once_and_on_its_side(tmp_path, capsys, searched, drawn, words):
    folders = [[run(tmp_path / name, 0.7) for name in names] for names in (searched, drawn)]
    assert verify(tmp_path, *folders) == 2
    assert words in capsys.readouterr().err


def test_a_reference_that_nothing_is_below_is_refused(tmp_path, capsys):
    words = ["verify", "--searched", run(tmp_path / "s", 0.7), "--random", run(tmp_path / "r", 0.6), "--price", "400"]
    assert cli.run_table("architectures", "", COMMANDS, [*words, "--out", str(tmp_path / "v.json")]) == 2
    assert "no network costs less than 400" in capsys.readouterr().err


def test_a_front_that_does_not_say_how_it_was_found_is_refused(tmp_path, capsys):
    FORMAT.save(tmp_path / "s" / "front.json", {"front": [], "judged": 1, "conditions": {}})
    assert verify(tmp_path, [str(tmp_path / "s")], [run(tmp_path / "r", 0.6)]) == 4
    assert "does not say its run" in capsys.readouterr().err
