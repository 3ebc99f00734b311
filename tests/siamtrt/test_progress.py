from __future__ import annotations

import logging
import sys
import time

import pytest

from siamtrt import progress
from siamtrt.progress import progress_bar


@pytest.fixture
def told(caplog, monkeypatch):
    """The lines that are logged, at most one in 0.2 s."""
    monkeypatch.setattr(progress, "_EVERY_S", 0.2)
    caplog.set_level(logging.INFO)
    logging.basicConfig(handlers=[caplog.handler], level=logging.INFO, force=True)  # not that of a command before
    return caplog


def count(seconds, total=50, **more):
    for _ in progress_bar(range(total), desc="track", unit="frame", **more):
        time.sleep(seconds / total)


def test_into_a_pipe_long_work_writes_a_line_now_and_then(told, capsys):
    started = time.monotonic()
    count(1.0)
    lines = [record.getMessage() for record in told.records]
    assert 2 <= len(lines) <= (time.monotonic() - started) / 0.2 + 1  # the last comes at the end
    assert all(line.startswith("track: ") and " of 50 frames, 00:0" in line for line in lines)
    assert "\r" not in told.text
    assert lines[-1].startswith("track: 50 of 50 frames")
    assert capsys.readouterr().err == ""


def test_into_a_pipe_short_work_writes_nothing(told, capsys):
    count(0.01)
    assert not told.records
    assert capsys.readouterr().err == ""


def test_what_is_counted_by_hand_has_no_total_and_tells_its_figures(told):
    with progress_bar(desc="search", unit="trial") as bar:
        for _ in range(4):
            time.sleep(0.1)
            bar.update()
            bar.set_postfix({"loss": 0.5}, refresh=False)
    assert told.records[-1].getMessage().startswith("search: 4 of ? trials")
    assert told.records[-1].getMessage().endswith("loss=0.5")


def test_a_terminal_sees_a_bar(told, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    count(0.01)
    assert "\rtrack: 100%|" in capsys.readouterr().err
    assert not told.records


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_is_quiet(told, capsys, monkeypatch, terminal):
    told.set_level(logging.WARNING)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    count(0.5)
    assert capsys.readouterr().err == ""
    assert not told.records
