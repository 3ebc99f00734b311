from __future__ import annotations

import pytest

pytest.importorskip("scipy", reason="searching needs requirements/architectures.txt")

from architectures.archive import Archive, Judged
from siamtrt import ArtifactError
from studies.retrained import best, lines


def judged(name, overlap):
    return Judged(name, (overlap, overlap), 10, 1, 5.0, 0.1)


def test_the_best_of_all_searches_are_taken_once_each(tmp_path):
    for number, names in enumerate((("b", "d"), ("a", "b", "c"))):
        archive = Archive(tmp_path / str(number) / "archive.jsonl")
        for name in names:
            archive.add(judged(name, {"a": 0.7, "b": 0.9, "c": 0.7, "d": 0.8}[name]))
    assert [one.architecture for one in best([tmp_path / "0", tmp_path / "1"], 3)] == ["b", "d", "a"]


def test_a_search_that_judged_nothing_is_named(tmp_path):
    with pytest.raises(ArtifactError, match="empty: nothing was judged"):
        best([tmp_path / "empty"], 3)


def test_each_network_has_a_line_whether_or_not_it_was_timed():
    row = {"overlap_a": 0.8, "inherited_b": 0.7, "alone_b": 0.75, "success_auc": 0.6, "losses": 2}
    shown = lines({"largest-0": {**row, "milliseconds": None}, "random-0": {**row, "milliseconds": 9.5}})
    assert [line.split()[1] for line in shown.splitlines()] == ["ms", "-", "9.50"]
