"""Arms of an ablation differ in what their names say, and what is done is done once."""

from __future__ import annotations

import json

import pytest
import torch

from networks.checkpoint import load, read_state
from siamtrt import cli
from siamtrt.pruning import record_of
from studies import pruning_ablation
from studies.pruning_ablation import ARMS, WHOLE, labelled_task, lines
from tests.training.pruning.home import write_home
from training.config import Config
from training.tasks.pruned import STEMS


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return write_home(tmp_path_factory.mktemp("ablation"))


@pytest.fixture(scope="module")
def done(home):
    assert ablate(home, "fisher", "fisher-labels", "fisher-untaught") == 0
    return home / "out"


def ablate(home, *arms):
    words = ["--start", home / "whole.pth", "--config", home / "c.toml", "--data", home, "--out", home / "out"]
    words += ["--videos", home / "videos", "--held-out", "held", "--arms", *arms, "--seeds", 0]
    words += ["--steps", 1, "--batch", 2, "--pairs", 2, "--macs", 0.8, "--threads", 1, "--quiet"]
    return cli.run(pruning_ablation.main, pruning_ablation._arguments(), [*map(str, words)])


def test_every_arm_is_the_first_but_for_one_choice():
    first = ARMS["fisher"]
    for arm in list(ARMS.values())[1:]:
        assert sum(getattr(arm, name) != getattr(first, name) for name in vars(first)) == 1


def test_arms_are_judged_at_one_budget_and_say_how_long_they_were_taught(done):
    document = json.loads((done / "ablation.json").read_text())
    assert list(document["arms"]) == [WHOLE, "fisher", "fisher-labels", "fisher-untaught"]
    whole = document["arms"][WHOLE][""]["search_macs"]
    for rows in list(document["arms"].values())[1:]:
        assert rows["0"]["search_macs"] <= 0.8 * whole
    steps = {"fisher-0/pruned": 1, "fisher-0/../fisher-labels-0/labelled": 1, "fisher-untaught-0/pruned": 0}
    for folder, taught in steps.items():
        assert record_of(done / folder / "pruned.pth").steps == taught
    assert document["engines_manifest"]["files"]["fisher 0: search.onnx"]


def test_arms_of_one_score_cut_the_same_and_learn_differently(done):
    cut, taught, labelled = (
        read_state(done / name / "pruned.pth")
        for name in ("fisher-untaught-0/pruned", "fisher-0/pruned", "fisher-labels-0/labelled")
    )
    assert {key: value.shape for key, value in cut.items()} == {key: value.shape for key, value in taught.items()}
    moved = [key for key, value in cut.items() if not torch.equal(value, taught[key])]
    assert moved
    assert not torch.equal(
        torch.cat([taught[key].flatten() for key in moved]), torch.cat([labelled[key].flatten() for key in moved])
    )


def test_labels_teach_all_but_the_stem(home, done):
    cut = done / "fisher-untaught-0" / "pruned" / "pruned.pth"
    config = Config.load(home / "c.toml")
    layers = labelled_task(config, cut)["trunk_layers"]
    names = [name for name, _ in load("siamrpn_nano", cut).named_parameters() if name.startswith("backbone.")]
    assert len(layers) == sum(not name.startswith(STEMS) for name in names)
    assert len(layers) < len(names)


def test_what_is_there_is_taken_as_it_is(home, done, monkeypatch, capsys):
    monkeypatch.setattr(pruning_ablation, "measure", None)
    monkeypatch.setattr(pruning_ablation, "Loop", None)
    before = (done / "fisher-0" / "tracked.json").stat().st_mtime_ns
    assert ablate(home, "fisher", "fisher-labels") == 0
    assert (done / "fisher-0" / "tracked.json").stat().st_mtime_ns == before
    assert "fisher-labels" in capsys.readouterr().out


def test_a_line_shows_every_seed():
    rows = {WHOLE: {"": row(100, 0.6)}, "fisher": {"0": row(62, 0.5), "1": row(62, 0.4)}}
    assert lines(rows).splitlines()[-1].split() == ["fisher", "0.620", "0.500", "(1)", "0.400", "(1)"]


def row(macs, success):
    return {"search_macs": macs, "success_auc": success, "losses": 1}
