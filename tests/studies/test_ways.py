from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from studies import ways
from studies.ways import WAYS, configured, lines, planned, row, shortened, trained
from training.config import Config, parsed
from training.tasks.siamrpn import Settings

BASE = Config.load(Path(ways.__file__).parents[1] / "training" / "configs" / "siamrpn_nano_taught.toml")


@pytest.mark.parametrize("name", WAYS)
def test_a_way_differs_in_trunk_and_teachers_alone(name):
    way, config = WAYS[name], configured(BASE, WAYS[name])
    own = {"model", "start", "trunk_layers", "teachers"}
    assert {key: value for key, value in config.task.items() if key not in own} == {
        key: value for key, value in BASE.task.items() if key not in own
    }
    settings = parsed(Settings, config.task, "[task]")
    assert (settings.model, settings.trunk_layers) == (way.model, way.layers)
    assert [teacher.model for teacher in settings.teachers] == list(way.teachers)
    assert replace(config, task=BASE.task, data=BASE.data) == BASE


def test_pieces_without_truth_are_drawn_only_where_a_teacher_labels_them():
    kinds = {name: {source.kind for source in configured(BASE, way).data.sources} for name, way in WAYS.items()}
    assert {name for name, found in kinds.items() if "patches" in found} == {
        name for name, way in WAYS.items() if way.teachers
    }


def test_the_steps_are_as_many_as_fit_the_minutes_and_stay_so(tmp_path, monkeypatch):
    clock = iter((0, 16_000_000_000))
    monkeypatch.setattr(ways.time, "process_time_ns", lambda: next(clock))
    monkeypatch.setattr(ways, "open_task", lambda *_: Drawn())
    monkeypatch.setattr(ways, "Loop", Counted)
    assert planned(BASE, tmp_path, 10, tmp_path)["steps"] == 300  # eight steps in sixteen seconds
    assert planned(BASE, tmp_path, 99, tmp_path)["steps"] == 300


def test_the_minutes_of_every_sitting_are_added(tmp_path, monkeypatch):
    clock = iter((0, 60_000_000_000, 0, 120_000_000_000))
    monkeypatch.setattr(ways.time, "process_time_ns", lambda: next(clock))
    monkeypatch.setattr(ways, "open_task", lambda *_: Drawn())
    monkeypatch.setattr(ways, "Loop", Counted)
    assert trained(BASE, tmp_path, tmp_path) == 1
    assert trained(BASE, tmp_path, tmp_path) == 3


def test_the_record_holds_every_way_that_is_done_and_sets_it_beside_the_first(tmp_path):
    (tmp_path / "plan.json").write_text('{"steps": 5}')
    (tmp_path / "spent.json").write_text('{"minutes": 3.0}')
    (tmp_path / "tracked.json").write_text('{"success_auc": 0.5, "losses": 2}')
    way = row(tmp_path, BASE)
    assert (way["pairs"], way["spent_minutes"], way["losses"]) == (5 * BASE.data.batch, 3.0, 2)
    told = lines({"ways": {"nano": way}, "gains": {"nano": {"gain": 0.0, "low": -0.1, "high": 0.1}}})
    assert " 3.0 " in told
    assert told.endswith("+0.000 (-0.100 to +0.100)")


def test_a_shortened_training_keeps_its_last_weights():
    config = shortened(BASE, 40)
    assert (config.steps, config.validate_steps, config.optimizer.warmup_steps) == (40, 40, 4)
    assert replace(config, steps=BASE.steps, validate_steps=BASE.validate_steps, optimizer=BASE.optimizer) == BASE


class Counted:
    def __init__(self, *_):
        self.step = 0

    def run(self, until=0):
        self.step = until


class Drawn:
    def batches(self, first, last):
        return iter(())
