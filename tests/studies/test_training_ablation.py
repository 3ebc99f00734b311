from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from studies import training_ablation
from studies.training_ablation import ALL, ROWS, _arguments, lines, main, shortened
from training.config import Config, parsed
from training.tasks.siamrpn import Settings

BASE = Config.load(Path(training_ablation.__file__).parents[1] / "training" / "configs" / "siamrpn_nano_pieces.toml")
NOWHERE = Path("nowhere")


def changed(before, after, prefix=""):
    """The dotted names of what differs; a source is named by its kind and folder."""
    if isinstance(before, dict) and isinstance(after, dict):
        return {name for key in before for name in changed(before[key], after.get(key), f"{prefix}{key}.")}
    return set() if before == after else {prefix.rstrip(".")}


def sources(config):
    return {(source.kind, source.path) for source in config.data.sources}


@pytest.mark.parametrize(
    ("row", "settings"),
    [
        (ALL, set()),
        ("no hard negatives", {"task.hard_negatives"}),
        ("no size errors", {"data.augmentation.search_zoom", "data.augmentation.search_scale"}),
        ("near frames", {"data.frame_gap"}),
        ("no teacher", {"task.teachers", "task.distil_weight", "data.sources"}),
    ],
)
def test_a_row_changes_nothing_but_what_it_leaves_out(row, settings):
    assert changed(asdict(BASE), asdict(ROWS[row](BASE, NOWHERE))) == settings


@pytest.mark.parametrize(
    ("row", "left_out"),
    [
        ("no collages", {("videos", "collages")}),
        ("no composites", {("composites", "davis")}),
        ("no still images", {("images", "coco"), ("images", "foda")}),
        ("no pieces", {("patches", "davis"), ("patches", "sequences")}),
        ("no teacher", {("patches", "davis"), ("patches", "sequences")}),
    ],
)
def test_a_row_leaves_out_its_pairs_alone(row, left_out):
    assert sources(BASE) - sources(ROWS[row](BASE, NOWHERE)) == left_out


def test_half_the_videos_are_held_out_beside_those_that_are_so_already(monkeypatch):
    monkeypatch.setattr(training_ablation, "video_names", lambda *_: ("a", "b", "c", "d", "e"))
    config = ROWS["half the videos"](BASE, NOWHERE)
    assert changed(asdict(BASE), asdict(config)) == {"data.validation"}
    assert config.data.validation == (*BASE.data.validation, "b", "d")


@pytest.mark.parametrize("row", [row for row in ROWS if row != "half the videos"])
def test_every_row_is_a_training_that_keeps_its_last_weights(row):
    config = ROWS[row](shortened(BASE, 40, Path("start.pth")), NOWHERE)
    assert (config.steps, config.validate_steps, config.optimizer.warmup_steps) == (40, 40, 4)
    assert parsed(Settings, config.task, "[task]").start == "start.pth"


def test_a_line_shows_each_seed_and_what_leaving_out_costs():
    row = [{"success_auc": 0.5, "losses": 2}, {"success_auc": 0.6, "losses": 1}]
    gain = {"gain": -0.1, "low": -0.2, "high": 0.05}
    shown = lines({"rows": {ALL: row, "no teacher": row}, "gains": {"no teacher": gain}})
    assert "0.500 (2), 0.600 (1)" in shown
    assert shown.endswith("-0.100 (-0.200 to +0.050)")


def test_every_row_is_trained_with_every_seed_and_set_beside_all(tmp_path, monkeypatch, capsys):
    trained = []

    def tracked(model, weights, out, *_):
        found = 0.5 if out.name.startswith(ALL) else 0.4
        row = {
            "success_auc": found,
            "losses": 1,
            "videos": {"set": {"one": found, "two": found}},
            "engines": {"a": "b"},
        }
        return row if weights == out / "best.pth" else None

    monkeypatch.setattr(training_ablation, "load_videos", lambda *_: {})
    monkeypatch.setattr(training_ablation, "open_task", lambda config, *_: trained.append(config))
    monkeypatch.setattr(training_ablation, "Loop", Unrun)
    monkeypatch.setattr(training_ablation, "tracked", tracked)
    (tmp_path / "start.pth").write_bytes(b"weights")
    words = ["--start", tmp_path / "start.pth", "--data", tmp_path, "--videos", tmp_path, "--held-out", "one"]
    words += ["--rows", ALL, "no hard negatives", "--seeds", "3", "4", "--steps", "7", "--out", tmp_path]
    main(_arguments().parse_args([str(word) for word in words]))
    record = json.loads((tmp_path / "training_ablation.json").read_text())
    assert [(config.seed, config.steps, config.task["hard_negatives"]) for config in trained] == [
        (3, 7, 16),
        (3, 7, 0),
        (4, 7, 16),
        (4, 7, 0),
    ]
    assert [row["seed"] for row in record["rows"]["no hard negatives"]] == [3, 4]
    assert record["gains"]["no hard negatives"]["gain"] == pytest.approx(-0.1)
    assert record["pairs"] == 7 * BASE.data.batch
    assert "-0.100 (-0.100 to -0.100)" in capsys.readouterr().out


class Unrun:
    def __init__(self, *_):
        pass

    def run(self):
        pass
