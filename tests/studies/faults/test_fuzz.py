"""Damaged files of every kind are read or refused; the study that looks for more finds what is put there."""

from __future__ import annotations

import os
import time

import pytest

pytest.importorskip("torch", reason="studies need requirements/workstation.txt")

from siamtrt import ParityError, UsageError
from studies.faults import fuzz
from studies.faults.damage import damaged
from studies.faults.kinds import Kind, kinds
from tests.calibrated import write_calibration


@pytest.fixture(scope="module")
def all_kinds(tiny_engines, tiny_onnx, tmp_path_factory):
    root = tmp_path_factory.mktemp("fuzz")
    calibration = write_calibration(root / "calibration", tiny_onnx, samples=0)
    return {kind.name: kind for kind in kinds(tiny_engines, tiny_onnx, calibration, root / "scratch")}


NAMES = ("model card", "ONNX graph", "manifest", "ranges", "calibration cache", "results", "annotations")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [*NAMES, "TraX conversation", "web request"])
def test_damage_is_read_or_refused_in_one_sentence(all_kinds, name):
    kind = all_kinds[name]
    outcomes = {}
    for number in range(40):
        content = fuzz.case(kind, 7, number)
        outcomes.setdefault(fuzz.outcome(kind, content), []).append(number)
    assert set(outcomes) <= {"read", "refused"}, outcomes
    assert "refused" in outcomes
    assert all(fuzz.outcome(kind, whole) == "read" for whole in kind.originals)


def stumble(content):
    """Reads what is whole, and has a weakness for each damage of its own."""
    if content == b"hang":
        time.sleep(60)
    if content == b"end":
        os._exit(3)
    if content == b"bug":
        raise KeyError("a bug")
    if content != b"whole":
        raise UsageError("no")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"hang", "hangs for 1 s"), (b"end", "ended the process with 3"), (b"bug", "KeyError: 'a bug' at")],
)
def test_a_traceback_a_hang_and_an_end_are_findings(monkeypatch, content, words):
    monkeypatch.setattr(fuzz, "_HANG_S", 1.0)
    monkeypatch.setattr(fuzz, "case", lambda kind, seed, number: content if number == 1 else b"other")
    tally = fuzz._tried(Kind("weak", (b"whole",), stumble), 3, 0)
    assert (tally.read, tally.refused) == (0, 2)
    assert list(tally.findings) == [1]
    assert tally.findings[1].startswith(words)


def test_a_kind_that_refuses_what_is_whole_tells_nothing():
    with pytest.raises(ParityError, match="a whole weak is not read"):
        fuzz._tried(Kind("weak", (b"other",), stumble), 3, 0)


def test_damage_differs_from_case_to_case_and_repeats_with_its_seed():
    kind = Kind("one", (b'{"a": [1, 2, {"b": "c"}]}',), stumble)
    contents = [fuzz.case(kind, 0, number) for number in range(50)]
    assert contents == [fuzz.case(kind, 0, number) for number in range(50)]
    assert len(set(contents)) > 40
    assert damaged.__module__ == "studies.faults.damage"
