"""From a checkpoint to a smaller one that was taught, and to graphs that say what it is."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from export.__main__ import arguments as export_arguments
from export.__main__ import main as export
from networks.checkpoint import load
from networks.seeded import seeded
from siamtrt import ArtifactError, Manifest, ModelCard, UsageError, cli
from siamtrt.pruning import FILE_NAME, PruningRecord, record_of
from siamtrt.work import macs, parameters
from tests.training.pruning.home import WEIGHTS, write_home
from training.config import Config
from training.loop import Loop
from training.place import CPU
from training.pruning.__main__ import COMMANDS
from training.pruning.measure import Job, ScoreFile, measure
from training.pruning.smaller import Order, cut_to
from training.tasks import open_task

NAME = "siamrpn_nano"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return write_home(tmp_path_factory.mktemp("pruning"), steps=2, frames=6)


@pytest.fixture(scope="module")
def config(home):
    return Config.load(home / "c.toml")


@pytest.fixture(scope="module")
def job(home):
    return Job(model=NAME, start=home / "whole.pth", pairs=3, probes=2, batch=2)


@pytest.fixture(scope="module")
def scores(home, config, job):
    return measure(job, config, home, home / "record.json")


@pytest.fixture(scope="module")
def cut(home, scores):
    cut_to(Order(macs=0.7, variant="m70"), scores, home / "whole.pth", home / "cut", "python -m training.pruning cut")
    return home / "cut" / "pruned.pth"


def run(*argv):
    return cli.run_table("training.pruning", "", COMMANDS, ["--quiet", *map(str, argv)])


def test_scores_do_not_depend_on_the_batch(home, config, job, scores, tmp_path):
    other = measure(replace(job, batch=3), config, home, tmp_path / "record.json")
    for name, values in scores.groups.items():
        np.testing.assert_allclose(other.groups[name], values, atol=1e-3 * max(values))  # float32 sums in another order
    assert scores.sources == ("one", "two")


def test_an_interrupted_measurement_goes_on_to_the_same_bits(home, config, job, scores, tmp_path):
    record, done = tmp_path / "record.json", json.loads((home / "record.json").read_text())
    done["done"].pop("2")
    record.write_text(json.dumps(done))
    assert measure(job, config, home, record) == scores


@pytest.mark.parametrize("differing", ["weights", "configuration"])
def test_a_measurement_does_not_go_on_with_what_was_done_for_another(home, config, differing, tmp_path):
    start, record = tmp_path / "whole.pth", tmp_path / "record.json"
    shutil.copy(WEIGHTS, start)
    job = Job(model=NAME, start=start, pairs=1, probes=1, only=("backbone.features.5.conv.5",))
    measure(job, config, home, record)
    if differing == "weights":
        torch.save(seeded(NAME, 2).state_dict(), start)
    else:
        config = replace(config, seed=config.seed + 1)
    assert measure(job, config, home, record) == measure(job, config, home, tmp_path / "anew.json")


@pytest.mark.parametrize("mode", ["magnitude", "gamma", "random", "leave-one-out"])
def test_every_way_of_scoring_has_a_number_for_every_channel(home, config, mode, tmp_path):
    job = Job(model=NAME, start=home / "whole.pth", mode=mode, pairs=1, only=("backbone.features.5.conv.5",))
    values = measure(job, config, home, tmp_path / "record.json").groups["backbone.features.5.conv.5.fc.0"]
    assert len(values) == 64
    assert len(set(values)) > 1


def test_a_cut_names_what_went_and_counts_what_the_graphs_count(cut, home, capsys):
    record = record_of(cut)
    assert record.variant == "m70"
    assert record.work_after["search"]["macs"] <= 0.7 * record.work_before["search"]["macs"]
    for group in record.groups:
        assert len(group.kept) in (group.before, 16) or len(group.kept) % 16 == 0
    argv = ["--model", NAME, "--checkpoint", str(cut), "--out", str(home / "onnx"), "--quiet"]
    assert cli.run(export, export_arguments(), argv) == 0
    card = ModelCard.load(home / "onnx")
    assert (card.variant, card.title, card.sources) == ("m70", f"{NAME} m70", ("one", "two"))
    for graph in card.graphs:
        model = onnx.load(home / "onnx" / f"{graph.name}.onnx")
        counted = {"macs": macs(model), "parameters": parameters(model, card.kernel_names)}
        assert counted == record.work_after[graph.name] == {"macs": graph.macs, "parameters": graph.parameters}


def test_scores_of_another_checkpoint_are_refused(cut, scores, tmp_path):
    with pytest.raises(ArtifactError, match="of another checkpoint"):
        cut_to(Order(macs=0.5), scores, cut, tmp_path, "")


def test_a_record_of_other_weights_is_refused(cut, tmp_path):
    (tmp_path / FILE_NAME).write_bytes(cut.with_name(FILE_NAME).read_bytes())
    torch.save(seeded(NAME, 2).state_dict(), tmp_path / "pruned.pth")
    with pytest.raises(ArtifactError, match="of other weights"):
        record_of(tmp_path / "pruned.pth")


def test_a_document_of_another_kind_beside_a_checkpoint_is_no_record(cut, tmp_path):
    weights = tmp_path / "other.pth"
    weights.write_bytes(cut.read_bytes())
    weights.with_suffix(".json").write_text('{"license": "Apache-2.0"}')
    assert record_of(weights) is None
    (tmp_path / FILE_NAME).write_bytes(cut.with_name(FILE_NAME).read_bytes())
    assert record_of(weights) == record_of(cut)


def test_a_cut_of_a_cut_counts_channels_of_the_whole(cut, config, home, tmp_path):
    job = Job(model=NAME, start=cut, mode="random")
    record = cut_to(Order(macs=0.55), measure(job, config, home, tmp_path / "r.json"), cut, tmp_path / "further", "")
    first = {group.name: group for group in record_of(cut).groups}
    assert record.parent_sha256 == record_of(cut).parent_sha256
    for group in record.groups:
        assert group.before == first[group.name].before
        assert set(group.kept) <= set(first[group.name].kept)
    assert record.work_after["search"]["macs"] <= 0.55 * record.work_before["search"]["macs"]


def test_a_cut_network_trains_on_past_a_validation(cut, home, config, tmp_path):
    taught = replace(config, task={**config.task, "start": str(cut), "teacher": str(home / "whole.pth")})
    task = open_task(taught, home, CPU)
    stem = task.network.state_dict()["backbone.features.0.0.weight"].clone()
    loop = Loop(task, taught, tmp_path)
    loop.run()
    assert [name for name in loop.history[0] if name not in ("step", "lr")] == ["loss", "maps", "boxes", "features"]
    assert 0 <= loop.history[-1]["score"] <= 1
    assert torch.equal(task.network.state_dict()["backbone.features.0.0.weight"], stem)
    half = Loop(open_task(taught, home, CPU), taught, tmp_path)
    assert half.step == 2


def test_distillation_without_a_teacher_is_refused(home, config):
    with pytest.raises(UsageError, match="needs the cut weights"):
        open_task(config, home, CPU)


def test_rounds_end_with_a_taught_network_and_a_second_call_does_nothing(home, capsys):
    argv = ["rounds", "--model", NAME, "--start", home / "whole.pth", "--config", home / "c.toml", "--data", home]
    argv += ["--macs", 0.8, "--variant", "m80", "--pairs", 2, "--probes", 1, "--rounds", 2, "--steps", 0]
    argv += ["--last-steps", 1, "--out", home / "m80"]
    assert run(*argv) == 0
    out = home / "m80" / "pruned.pth"
    record, written = record_of(out), out.stat().st_mtime_ns
    assert (record.variant, record.steps, record.budget) == ("m80", 1, {"macs": 0.8})
    assert record.sources == ("held", "one", "two")  # the held-out video chose the weights
    assert record.work_after["search"]["macs"] <= 0.8 * record.work_before["search"]["macs"]
    assert sum(value.numel() for value in load(NAME, out).parameters()) < 769632
    Manifest.load(home / "m80", stage="training.pruning")
    assert run(*argv) == 0
    assert out.stat().st_mtime_ns == written
    assert run(*[0.7 if word == 0.8 else word for word in argv]) == 4  # the folder holds another pruning


def test_a_network_that_was_taught_names_its_videos_though_no_score_saw_one(home, tmp_path, capsys):
    argv = ["rounds", "--model", NAME, "--start", home / "whole.pth", "--config", home / "c.toml", "--data", home]
    argv += ["--macs", 0.9, "--mode", "gamma", "--rounds", 1, "--last-steps", 1, "--out", tmp_path]
    assert run(*argv) == 0
    assert PruningRecord.load(tmp_path / FILE_NAME).sources == ("held", "one", "two")


def test_the_commands_lead_from_scores_to_a_cut(home, tmp_path, capsys):
    scoring = ["--model", NAME, "--start", home / "whole.pth", "--config", home / "c.toml", "--data", home]
    assert run("score", *scoring, "--mode", "gamma", "--out", tmp_path / "s.json") == 0
    assert ScoreFile.load(tmp_path / "s.json").pairs == 0
    argv = ["cut", "--start", home / "whole.pth", "--scores", tmp_path / "s.json", "--out", tmp_path / "cut"]
    assert run(*argv) == 2  # no budget
    assert run(*argv, "--params", 6e5) == 0
    assert "MMAC" in capsys.readouterr().out
    assert sum(value.numel() for value in load(NAME, tmp_path / "cut" / "pruned.pth").parameters()) <= 6e5
    assert PruningRecord.load(tmp_path / "cut" / FILE_NAME).mode == "gamma"
