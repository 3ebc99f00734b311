"""What a kill loses is seen, what it does not lose is no finding."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="studies need requirements/workstation.txt")

from siamtrt import ParityError
from studies.faults import accidents, kills
from studies.faults.victims import Victim

CAREFUL = Victim(
    "careful",
    5,
    "tests.studies.faults.forgetful {out}",
    pieces=("pieces/*",),
    growing=("lines",),
    ends=("end.txt", "pieces/*"),
)
FORGETFUL = Victim("forgetful", 5, f"{CAREFUL.words} --forget", pieces=("pieces/*",), ends=("end.txt",))


def test_a_command_that_resumes_loses_nothing(tmp_path):
    tally = kills._tried(CAREFUL, tmp_path, 5, 0)
    assert (tally.kills, tally.lost) == (5, [])
    assert tally.finished > 0
    assert list(tmp_path.glob("[0-9]*/")) == []  # nothing to look at


def test_a_command_that_begins_anew_is_found_out(tmp_path):
    tally = kills._tried(FORGETFUL, tmp_path, 5, 0)
    assert any(name.startswith("pieces/") for name in tally.lost)


def test_a_command_that_fails_by_itself_is_no_victim(tmp_path):
    with pytest.raises(ParityError, match="broken failed"):
        kills._tried(Victim("broken", 1, "tests.studies.faults.nowhere {out}"), tmp_path, 1, 0)


def test_accidents_of_a_careful_command_end_well(tmp_path):
    accidents._run(CAREFUL, tmp_path / "whole")
    wanted = kills.ends_of(CAREFUL, tmp_path / "whole")
    assert len(wanted) == 11
    outcomes = [
        accidents._together(CAREFUL, tmp_path / "two", wanted),
        accidents._jumping(CAREFUL, tmp_path / "clock", wanted, accidents._clock(tmp_path)),
        accidents._together(CAREFUL, tmp_path / "other", {**wanted, "missing": "0"}),
    ]
    assert [one.finding for one in outcomes] == [None, None, "ends otherwise: missing"]


def test_a_disk_without_room_ends_a_command_in_a_sentence_or_is_found(tmp_path):
    accidents._run(CAREFUL, tmp_path / "whole")
    wanted = kills.ends_of(CAREFUL, tmp_path / "whole")
    outcome = accidents._full(CAREFUL, tmp_path / "disk", wanted, 8)
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.finding.startswith("a traceback: ")  # it does not go by cli.run
    assert outcome.codes == (1, 0)
