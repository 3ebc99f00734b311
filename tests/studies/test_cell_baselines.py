from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from networks.genotype import EMPTY, parse
from siamtrt import BuildError, cli
from studies import cell_baselines
from studies.cell_baselines import baselines, steps
from training.config import Config

FOUND, FIRST = parse("cell16:sep3@0,skip@1"), parse("cell16:skip@0,skip@1")
ROOT = Path(cell_baselines.__file__).parents[1]


@pytest.fixture(autouse=True)
def checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_all_are_trained_alike_but_for_the_cell(tmp_path):
    cells, configs = baselines(FOUND, FIRST), []
    assert list(cells) == ["none", "found", "found_first_order", "published", "chance0", "chance1", "chance2"]
    assert cells["none"] == EMPTY
    for name, cell in cells.items():
        assert [words[0] for _, words in steps(tmp_path / name, cell, tmp_path)] == ["training", "export", "engines"]
        config = Config.load(tmp_path / name / "training.toml")
        assert parse(config.task["architecture"]) == cell
        assert cell.channels == 48
        configs.append(replace(config, task={**config.task, "architecture": ""}))
    assert all(config == configs[0] for config in configs)


def test_what_is_there_is_not_made_again_and_a_failure_is_one_sentence(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(cell_baselines.subprocess, "run", lambda words, check: ran.append(words) or Ended(len(ran) - 1))
    (tmp_path / "there").write_text("")
    cell_baselines._make(tmp_path / "there", ["export"])
    assert ran == []
    cell_baselines._make(tmp_path / "missing", ["export", "--help"])
    assert ran[0][1:] == ["-m", "export", "--help"]
    with pytest.raises(BuildError, match="export --help ended with 1"):
        cell_baselines._make(tmp_path / "missing", ["export", "--help"])
    monkeypatch.setattr(cell_baselines.subprocess, "run", lambda words, check: Ended(cli.INTERRUPTED))
    with pytest.raises(KeyboardInterrupt):
        cell_baselines._make(tmp_path / "missing", ["export"])


class Ended:
    def __init__(self, returncode):
        self.returncode = returncode
