from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from networks.genotype import EMPTY, parse
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


def test_a_shorter_training_changes_its_steps_alone(tmp_path):
    for count in (None, 7):
        for _ in steps(tmp_path / str(count), FOUND, tmp_path, count):
            pass
    whole, shorter = (Config.load(tmp_path / str(count) / "training.toml") for count in (None, 7))
    assert (shorter.steps, shorter.validate_steps) == (7, 7)
    assert replace(shorter, steps=whole.steps, validate_steps=whole.validate_steps) == whole
