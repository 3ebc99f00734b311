"""What docs/architectures.md says of searches against chance, from the fronts that they left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("pymoo", reason="searching needs requirements/architectures.txt")

from architectures.__main__ import COMMANDS
from architectures.archive import Archive
from siamtrt import cli

ROOT = Path(__file__).parents[2]
SEARCHES = ROOT / "docs" / "measured" / "searches"
RECORD = json.loads((SEARCHES / "verified.json").read_text())
PAGE = (ROOT / "docs" / "architectures.md").read_text(encoding="utf-8")


def folders(strategy):
    return sorted(str(path) for path in SEARCHES.glob(f"{strategy}_*"))


def test_the_comparison_repeats_from_what_the_searches_left(tmp_path):
    words = ["verify", "--searched", *folders("nsga2"), "--random", *folders("random"), "--price", str(RECORD["price"])]
    words += ["--overlap", str(RECORD["overlap"]), "--out", str(tmp_path / "verified.json")]
    assert cli.run_table("architectures", "", COMMANDS, words) == 0
    again = json.loads((tmp_path / "verified.json").read_text())
    assert again["measures"] == RECORD["measures"]
    fronts = [{run["front"] for run in record["runs"].values()} for record in (again, RECORD)]
    assert fronts[0] == fronts[1]
    assert len(fronts[0]) == 10


@pytest.mark.parametrize("folder", [*folders("nsga2"), *folders("random")], ids=lambda path: Path(path).name)
def test_what_stands_on_a_front_was_judged_so_on_both_splits(folder):
    archives = {
        split: Archive(Path(folder) / name) for split, name in (("", "archive.jsonl"), ("_b", "archive_b.jsonl"))
    }
    for row in json.loads((Path(folder) / "front.json").read_text())["front"]:
        for split, archive in archives.items():
            assert row[f"overlap{split}"] == pytest.approx(archive.get(row["architecture"]).overlap)


def test_the_page_says_what_was_measured():
    for name, row in RECORD["measures"].items():
        digits = 2 if name.startswith("hypervolume") else 3
        values = [" ".join(f"{value:.{digits}f}" for value in row[side]) for side in ("searched", "random")]
        assert f"| {values[0]} | {values[1]} | {row['p']:.4f} |" in PAGE
    rows = json.loads((SEARCHES.parent / "retrained_lighttrack_mobile.json").read_text())["networks"]
    for row in rows.values():
        overlaps = " | ".join(f"{row[key]:.3f}" for key in ("overlap_a", "inherited_b", "alone_b", "success_auc"))
        assert f"| {row['milliseconds']:.2f} | {overlaps} | {row['losses']} |" in PAGE
    ranking = json.loads((SEARCHES / "ranking.json").read_text())
    taus = ", ".join(f"{ranking[name]:.2f}" for name in ("tau", "tau_of_work", "chance"))
    assert f"tau {taus}" in PAGE.replace("of the work alone ", "").replace("by chance within ", "")
