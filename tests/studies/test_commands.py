from __future__ import annotations

import pytest

from siamtrt import BuildError, cli
from studies import commands
from studies.commands import make


def test_what_is_there_is_not_made_again_and_a_failure_is_one_sentence(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(commands.subprocess, "run", lambda words, check: ran.append(words) or Ended(len(ran) - 1))
    (tmp_path / "there").write_text("")
    make(tmp_path / "there", ["export"])
    assert ran == []
    make(tmp_path / "missing", ["export", "--help"])
    assert ran[0][1:] == ["-m", "export", "--help"]
    with pytest.raises(BuildError, match="export --help ended with 1"):
        make(tmp_path / "missing", ["export", "--help"])
    monkeypatch.setattr(commands.subprocess, "run", lambda words, check: Ended(cli.INTERRUPTED))
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "missing", ["export"])


class Ended:
    def __init__(self, returncode):
        self.returncode = returncode
