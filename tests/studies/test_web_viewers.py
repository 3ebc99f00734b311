from __future__ import annotations

import json

import pytest

pytest.importorskip("aiohttp", reason="needs the packages of requirements/web.txt")

from sequences.rendered.command import write_clip
from studies import web_viewers


def test_turns_without_and_with_viewers_are_compared(monkeypatch, tiny_engines, tmp_path, capsys):
    monkeypatch.setattr(web_viewers, "TURN", 10)
    monkeypatch.setattr(web_viewers, "WARM_UP", 1)
    write_clip(tmp_path / "clip", 1, 10)
    words = ["--engines", tiny_engines, "--clip", tmp_path / "clip", "--turns", "1", "--fours", "2"]
    words += ["--out", tmp_path / "out.json"]
    web_viewers.main(web_viewers._arguments().parse_args(list(map(str, words))))
    alone, seen = json.loads((tmp_path / "out.json").read_text())["turns"]
    assert alone["rates"] == {}
    assert set(seen["rates"]) == {f"{name} {four}" for name in web_viewers.FOUR_S for four in (1, 2)}
    assert len(alone["times"]) == len(seen["times"]) == 10
    assert "ratio" in capsys.readouterr().out
