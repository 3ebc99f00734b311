from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from siamtrt import ArtifactError
from studies import training_ablation
from studies.training_ablation import ALL, BESIDE, ROWS, _arguments, lines, main, without_sources
from tests.videos import write_video
from training.config import Config

BASE = Config.load(Path(training_ablation.__file__).parents[1] / "training" / "configs" / "siamrpn_nano_pieces.toml")
NOWHERE = Path("nowhere")


def changed(before, after, prefix=""):
    """The dotted names of what differs."""
    if isinstance(before, dict) and isinstance(after, dict):
        return {name for key in before for name in changed(before[key], after.get(key), f"{prefix}{key}.")}
    return set() if before == after else {prefix.rstrip(".")}


@pytest.mark.parametrize(
    ("row", "settings"),
    [
        (ALL, set()),
        ("no hard negatives", {"task.hard_negatives"}),
        ("no size errors", {"data.augmentation.search_zoom"}),
        ("near frames", {"data.frame_gap"}),
        ("no teacher", {"task.teachers", "task.distil_weight", "data.sources"}),
        *((row, {"data.sources"}) for row in ("no collages", "no composites", "no still images", "no pieces")),
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
    rest = [source for source in BASE.data.sources if (source.kind, source.path) not in left_out]
    assert len(rest) == len(BASE.data.sources) - len(left_out)
    assert ROWS[row](BASE, NOWHERE).data.sources == tuple(rest)


def test_half_the_videos_are_real_ones_and_held_out_beside_those_that_are_so_already(tmp_path):
    for path in ("davis/a", "davis/b", "sequences/c", "sequences/d", "collages/collage_1", "coco/e", "foda/f"):
        write_video(tmp_path / path, 3)
    base = replace(BASE, data=replace(BASE.data, validation=("a",)))
    config = ROWS["half the videos"](base, tmp_path)
    assert config.data.validation == ("a", "c")
    assert changed(asdict(without_sources(base, path="collages")), asdict(config)) == {"data.validation"}


def test_a_row_that_leaves_out_two_things_stands_beside_the_one_that_leaves_out_one():
    assert set(BESIDE) <= set(ROWS)
    assert {*BESIDE.values()} <= set(ROWS) - {ALL}


def test_a_line_shows_each_seed_and_what_leaving_out_costs():
    row = [{"success_auc": 0.5, "losses": 2}, {"success_auc": 0.6, "losses": 1}]
    gain = {"gain": -0.1, "low": -0.2, "high": 0.05}
    told = lines({"rows": {ALL: row, "no teacher": row}, "gains": {"no teacher": gain}})
    assert "0.500 (2), 0.600 (1)" in told
    assert told.endswith("no pieces    -0.100 (-0.200 to +0.050)")


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Runs the study on a stand-in for the training; returns the configurations that it trained."""
    trained = []

    def tracked(model, weights, out, *_):
        assert weights == out / "best.pth"
        success = 0.5 if out.name.startswith(ALL) else 0.4
        row = {"success_auc": success, "losses": 1, "videos": {"set": {"one": success}}, "engines": {"a": "b"}}
        (out / "tracked.json").write_text(json.dumps(row))

    monkeypatch.setattr(training_ablation, "load_videos", lambda *_: {"set": [SimpleNamespace(name="one")]})
    monkeypatch.setattr(training_ablation, "video_names", lambda *_: ("two",))
    monkeypatch.setattr(training_ablation, "open_task", lambda config, *_: trained.append(config))
    monkeypatch.setattr(training_ablation, "Loop", Unrun)
    monkeypatch.setattr(training_ablation, "tracked", tracked)
    (tmp_path / "start.pth").write_bytes(b"weights")

    def run(*words, steps=7):
        shared = ["--start", tmp_path / "start.pth", "--data", tmp_path, "--videos", tmp_path, "--held-out", "one"]
        shared += ["--steps", steps, "--out", tmp_path / "out", *words]
        main(_arguments().parse_args([str(word) for word in shared]))
        return json.loads((tmp_path / "out" / "training_ablation.json").read_text())

    return run, trained


def test_every_row_is_trained_with_every_seed_and_set_beside_all(study, capsys):
    run, trained = study
    record = run("--rows", ALL, "no hard negatives", "--seeds", 3, 4)
    settings = [(config.seed, config.steps, config.validate_steps, config.task["hard_negatives"]) for config in trained]
    assert settings == [(3, 7, 7, 16), (3, 7, 7, 0), (4, 7, 7, 16), (4, 7, 7, 0)]
    assert {config.task["start"].rpartition("/")[2] for config in trained} == {"start.pth"}
    assert [row["seed"] for row in record["rows"]["no hard negatives"]] == [3, 4]
    assert record["gains"]["no hard negatives"]["gain"] == pytest.approx(-0.1)
    assert record["pairs"] == 7 * BASE.data.batch
    assert "-0.100 (-0.100 to -0.100)" in capsys.readouterr().out


def test_a_part_keeps_the_rows_that_were_done_before(study):
    run, _ = study
    run("--rows", ALL, "--seeds", 3)
    assert list(run("--rows", "near frames", "--seeds", 3)["rows"]) == [ALL, "near frames"]


def test_rows_of_other_seeds_are_not_set_beside_each_other(study):
    run, _ = study
    run("--rows", ALL, "--seeds", 3)
    assert list(run("--rows", "near frames", "--seeds", 4)["gains"]) == [ALL]


def test_rows_of_other_steps_are_refused(study):
    run, _ = study
    run("--rows", ALL)
    with pytest.raises(ArtifactError, match="steps differ"):
        run("--rows", ALL, steps=8)


class Unrun:
    def __init__(self, *_):
        pass

    def run(self):
        pass
