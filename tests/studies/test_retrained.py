from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("scipy", reason="searching needs requirements/architectures.txt")

from architectures.fronts import Front
from studies import retrained
from studies.retrained import best, lines, seen


def front(**overlaps):
    rows = [{"architecture": name, "overlap": overlap} for name, overlap in overlaps.items()]
    return Front(Path("here"), "", "nsga2", 0, 9, {}, rows)


def test_the_best_of_all_searches_are_taken_once_each():
    found = best([front(b=0.9, d=0.8), front(a=0.7, b=0.9, c=0.7)], 3)
    assert [row["architecture"] for row in found] == ["b", "d", "a"]


def test_what_guided_a_search_was_seen_as_well_as_what_trained(monkeypatch):
    monkeypatch.setattr(
        retrained, "video_names", lambda config, data, validation=False: ("held",) if validation else ("trained",)
    )
    assert seen(None, None) == ("trained", "held")


def test_each_network_has_a_line_whether_or_not_it_was_timed():
    row = {"overlap_a": 0.8, "inherited_b": 0.7, "alone_b": 0.75, "success_auc": 0.6, "losses": 2}
    shown = lines({"largest-0": {**row, "milliseconds": None}, "random-0": {**row, "milliseconds": 9.5}})
    assert [line.split()[1] for line in shown.splitlines()] == ["ms", "-", "9.50"]
