from __future__ import annotations

import pytest

from architectures.archive import Archive, Judged, front
from siamtrt import ArtifactError


def judged(name, overlap, macs, milliseconds=None):
    return Judged(name, (overlap, overlap), macs, 1, milliseconds, 0.5)


def test_what_was_judged_is_there_after_a_restart(tmp_path):
    archive = Archive(tmp_path / "archive.jsonl")
    archive.add(judged("a", 0.5, 3))
    archive.add(judged("b", 0.25, 2))
    again = Archive(tmp_path / "archive.jsonl")
    assert list(again) == [judged("a", 0.5, 3), judged("b", 0.25, 2)]
    assert again.get("b") == judged("b", 0.25, 2)
    assert again.get("c") is None


def test_a_line_that_a_kill_cut_off_is_judged_again(tmp_path):
    path = tmp_path / "archive.jsonl"
    archive = Archive(path)
    archive.add(judged("a", 0.5, 3))
    archive.add(judged("b", 0.25, 2))
    whole = path.read_bytes()
    for cut in range(len(whole) // 2 + 1, len(whole)):
        path.write_bytes(whole[:cut])
        resumed = Archive(path)
        assert len(resumed) == 1
        resumed.add(judged("b", 0.25, 2))
        assert path.read_bytes() == whole


def test_a_damaged_line_is_named(tmp_path):
    path = tmp_path / "archive.jsonl"
    Archive(path).add(judged("a", 0.5, 3))
    path.write_text(path.read_text() + '{"architecture": 3}\n')
    with pytest.raises(ArtifactError, match="line 2 is damaged"):
        Archive(path)


def test_the_front_holds_what_nothing_beats():
    cheap, middle, beaten, best = (
        judged("c", 0.4, 10),
        judged("m", 0.5, 14),
        judged("x", 0.45, 15),
        judged("b", 0.6, 20),
    )
    assert front([best, beaten, middle, cheap]) == [cheap, middle, best]
    assert front([judged("twin", 0.5, 10), judged("first", 0.5, 10)]) == [judged("first", 0.5, 10)]


def test_a_front_is_one_of_milliseconds_where_there_is_a_table():
    slow, fast = judged("slow", 0.6, 10, 5.0), judged("fast", 0.6, 20, 4.0)
    assert front([slow, fast]) == [fast]
    assert front([judged("slow", 0.6, 10), judged("fast", 0.6, 20)]) == [judged("slow", 0.6, 10)]


def test_a_price_is_in_milliseconds_or_in_millions_of_multiply_accumulates():
    assert judged("a", 0.5, 3_500_000).price == 3.5
    assert judged("a", 0.5, 3_500_000, 0.25).price == 0.25
