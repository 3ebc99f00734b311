"""Searches of a cell on drawn videos, and the rule that ends them."""

from __future__ import annotations

import json

import pytest
import torch

from architectures.__main__ import COMMANDS
from architectures.cells.chance import draw
from architectures.cells.compare import interval
from architectures.cells.record import Epoch, Record
from architectures.cells.stopping import Rule
from networks.genotype import Genotype, parse, sources
from networks.models import MODELS, build
from siamtrt import InferenceError, Manifest, UsageError, cli
from tests.networks.thin import thin_cell_spec
from tests.tiny import write_tiny_model
from tests.training.data import write_videos

CONFIG = """
steps = 5
validate_steps = 5
ema = 0.0
[task]
kind = "cells"
model = "thin_cell"
start = "{start}"
channels = 4
epoch_steps = 1
warmup_epochs = 1
alpha_videos = ["apart"]
[data]
batch = 2
validation = ["held"]
validation_pairs = 2
[[data.sources]]
kind = "videos"
path = "videos"
"""


@pytest.fixture(autouse=True)
def thin_model(monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setitem(MODELS, "thin_cell", thin_cell_spec())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    write_videos(root / "videos", names=("one", "held", "apart"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "thin_cell", thin_cell_spec())
        torch.manual_seed(0)
        torch.save(build("thin_cell").state_dict(), root / "start.pth")
    (root / "config.toml").write_text(CONFIG.format(start=root / "start.pth"))
    return root


def run(*words):
    return cli.run_table("architectures", "", COMMANDS, ["cells", *map(str, words)])


def search(data, out, *more):
    return run("search", "--config", data / "config.toml", "--data", data, "--out", out, "--seeds", 1, *more)


def test_the_scripted_losses_end_where_they_should():
    rule, losses = Rule(warmup=2, patience=3), [9, 8, 5, 4, 4, 6, 3.9, 7, 7, 7, 1]
    seen: list[float] = []
    while not rule.is_over(seen):
        seen.append(losses[len(seen)])
    assert len(seen) == 10
    assert rule.best(seen) == 7
    assert rule.best(seen[:6]) == 4  # of equals the first
    assert rule.best(seen[:2]) is None


def test_a_loss_that_is_no_number_ends_a_search_with_an_error():
    with pytest.raises(InferenceError, match="nan after epoch 2"):
        Rule(1, 3).best([4.0, float("nan")])


def record(*losses, warmup=1):
    alpha = tuple((0.0,) * 8 for _ in sources())
    epochs = (Epoch(number, loss, loss, alpha, 0.0, 1.0) for number, loss in enumerate(losses, start=1))
    return Record(0, 4, warmup, tuple(epochs))


def test_a_record_is_read_back_and_knows_its_best_epoch(tmp_path):
    found = record(1.0, 3.0, 2.0, 2.0)
    found.save(tmp_path / "record.json")
    assert Record.load(tmp_path / "record.json") == found
    assert found.best.number == 3
    assert found.best.weight_free == 0.5
    with pytest.raises(UsageError, match="1 epochs, all of its warm-up"):
        _ = record(1.0).best


def test_a_search_that_is_killed_after_any_epoch_ends_with_the_same_cell(data, tmp_path, capsys, monkeypatch):
    assert search(data, tmp_path / "whole") == 0
    text = capsys.readouterr().out.strip()
    assert str(Genotype.load(tmp_path / "whole" / "genotype.json")) == text
    whole = Record.load(tmp_path / "whole" / "seed_0" / "record.json")
    assert [epoch.number for epoch in whole.epochs] == [1, 2, 3]
    assert whole.epochs[0].look_ahead == 0 < whole.epochs[1].look_ahead

    for stop in (1, 2):
        out = tmp_path / str(stop)
        with monkeypatch.context() as patch:
            patch.setattr(Record, "save", killed_behind(stop, Record.save))
            with pytest.raises(Killed):
                search(data, out)
        assert search(data, out) == 0
        resumed = Record.load(out / "seed_0" / "record.json")
        assert [epoch.alpha for epoch in resumed.epochs] == [epoch.alpha for epoch in whole.epochs]
        assert resumed.losses == whole.losses
        assert capsys.readouterr().out.strip() == text


class Killed(BaseException):
    pass


def killed_behind(stop, save):
    def saved_then_killed(self, path):
        if len(self.epochs) > stop:
            raise Killed  # the weights of this epoch are written, its record is not
        save(self, path)

    return saved_then_killed


def test_a_search_leaves_its_cell_its_curves_and_where_they_come_from(data, tmp_path, capsys):
    assert search(data, tmp_path, "--order", "first", "--patience", 1) == 0
    manifest = Manifest.load(tmp_path, stage="architectures")
    wanted = {"genotype.json", "result.json", "curves.png", "cell.png", "seed_0/record.json"}
    assert set(manifest.files) == wanted
    assert manifest.settings["task"]["order"] == "first"
    assert manifest.settings["task"]["alpha_videos"] == ["apart"]
    assert manifest.settings["held_out"] == ["held"]
    row = json.loads((tmp_path / "result.json").read_text())
    assert row["genotype"] == capsys.readouterr().out.strip()
    assert row["seeds"][0]["minutes"] >= 0
    assert search(data, tmp_path) == 4  # another order in the same folder
    assert "holds results for another request" in capsys.readouterr().err


def test_another_kind_of_configuration_is_refused(data, tmp_path, capsys):
    (tmp_path / "ban.toml").write_text((data / "config.toml").read_text().replace('kind = "cells"', 'kind = "ban"'))
    words = ("search", "--config", tmp_path / "ban.toml", "--data", data, "--out", tmp_path / "out")
    assert run(*words) == 2
    assert "trains 'ban'" in capsys.readouterr().err


def test_the_cell_of_an_epoch_is_derived_from_its_numbers(tmp_path, capsys):
    record(3.0, 2.0).save(tmp_path / "record.json")
    words = ("derive", "--record", tmp_path / "record.json", "--out", tmp_path / "genotype.json")
    assert run(*words) == 0
    text = capsys.readouterr().out.strip()
    assert text == "cell4:" + "|".join(["max3@0,max3@1"] * 4)
    assert Genotype.load(tmp_path / "genotype.json") == parse(text)
    assert run(*words, "--epoch", 3) == 2
    assert run(*words, "--include-none") == 2
    assert "epoch 2: node 2 has no operation" in capsys.readouterr().err


def test_a_cell_is_shown_with_its_costs_and_drawn(tmp_path, capsys):
    assert run("show", "cell256:avg3@0,sep5@1", "--draw", tmp_path / "cell.png") == 0
    shown = capsys.readouterr().out
    assert "node 2 = avg3(map 0) + sep5(map 1)" in shown
    assert "144,896 parameters" in shown
    assert (tmp_path / "cell.png").read_bytes().startswith(b"\x89PNG")
    assert run("show", "cell256:avg3@0,sep5@1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == 144_896
    assert run("show", "cell:avg3@0") == 2


def test_cells_drawn_by_chance_follow_from_their_seed(capsys):
    assert run("random", "--count", 3, "--channels", 16) == 0
    lines = capsys.readouterr().out.split()
    assert lines == [str(draw(seed, 16)) for seed in range(3)]
    assert len(set(lines)) == 3
    assert all(parse(line).channels == 16 and len(parse(line).nodes) == 4 for line in lines)


def test_judged_models_are_set_beside_the_first_video_by_video(tmp_path, capsys):
    models = {}
    for name, apart in (("none", 0.0), ("found", 0.1)):
        folder = tmp_path / name / "engines" / "cpu"
        write_tiny_model(folder)
        rows = {f"video{number}": {"success_auc": 0.3 + 0.1 * number + apart} for number in range(4)}
        models["/".join(folder.parts[-3:])] = {"videos": {"set": rows}}
    (tmp_path / "judged.json").write_text(json.dumps({"models": models}))
    folders = [tmp_path / name / "engines" / "cpu" for name in ("none", "found")]
    assert run("compare", "--judged", tmp_path / "judged.json", "--engines", *folders) == 0
    first, second = capsys.readouterr().out.splitlines()[1:]
    assert "+0.000 (+0.000 to +0.000)" in first
    assert "+0.100 (+0.100 to +0.100)" in second
    assert "none/engines/cpu" in first
    assert "0.550 (" in second
    assert run("compare", "--judged", tmp_path / "judged.json", "--engines", *folders, "--json") == 0
    assert [row["successes"][0] for row in json.loads(capsys.readouterr().out)] == [0.3, 0.4]
    assert run("compare", "--judged", tmp_path / "judged.json", "--engines", tmp_path / "none" / "engines") == 4


def test_an_interval_spans_its_mean_and_is_that_of_the_videos():
    low, high = interval([0.2, 0.4, 0.6, 0.8])
    assert 0.2 < low < 0.4 < 0.6 < high < 0.8
    assert interval([0.5, 0.5]) == (0.5, 0.5)
