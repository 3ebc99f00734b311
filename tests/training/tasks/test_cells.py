from __future__ import annotations

import dataclasses
from itertools import islice

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from networks.genotype import strongest
from networks.models import MODELS, build
from siamtrt import ArtifactError, InferenceError, UsageError
from tests.networks.thin import thin_cell_spec
from tests.training.data import write_videos
from training.config import Config
from training.hypergradient import FIRST, ORDERS
from training.loop import Loop
from training.place import CPU
from training.tasks import open_task
from training.tasks.cell_turns import Schedule

FIRST_ALPHA_STEP = 2
ALPHA = "neck.cell.alpha"


@pytest.fixture(autouse=True)
def thin_model(monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setitem(MODELS, "thin_cell", thin_cell_spec())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    write_videos(root / "videos", names=("one", "two", "held", "apart"))
    for path in (root / "videos" / "apart").glob("*.jpg"):  # told from the others by their colour
        cv2.imwrite(str(path), np.full((120, 160, 3), (255, 0, 0), np.uint8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "thin_cell", thin_cell_spec())
        torch.manual_seed(0)
        torch.save(build("thin_cell").state_dict(), root / "start.pth")
    return root


def config(data, **changes):
    table = {
        "model": "thin_cell",
        "kind": "cells",
        "start": str(data / "start.pth"),
        "alpha_videos": ["apart"],
        "channels": 4,
        "epoch_steps": 2,
        "warmup_epochs": 1,
        "sources": [{"kind": "videos", "path": "videos"}],
        "validation": ["held"],
        "steps": 10,
        "batch": 2,
        "lr": 1e-3,
        "ema": 0.0,
        "warmup_steps": 1,
        "validate_steps": 100,
        "validation_pairs": 2,
        "checkpoint_minutes": 60.0,
        "augmentation": {"gray": 0.0, "color": 0.0},
    }
    return Config.from_table({**table, **changes})


def opened(data, out, **changes):
    settings = config(data, **changes)
    return Loop(open_task(settings, data, CPU), settings, out)


def test_behind_the_warm_up_the_architecture_moves_before_the_weights():
    schedule = Schedule(epoch_steps=2, warmup_epochs=1)
    wanted = [(1, 0, False), (1, 1, False)]
    wanted += [(2, 2, True), (2, 2, False), (2, 3, True), (2, 3, False), (3, 4, True), (3, 4, False)]
    assert [schedule.turn(step) for step in range(8)] == wanted
    assert [schedule.last_step(epoch) for epoch in (1, 2, 3)] == [2, 6, 10]


def test_weights_and_architecture_learn_from_videos_of_their_own(data):
    task = open_task(config(data), data, CPU)
    turns = list(task.batches(0, 10))
    assert [turn.validation is not None for turn in turns] == [False, False, *[True, False] * 4]

    def is_apart(batch):
        return bool((batch.template[:, 0].mean() - batch.template[:, 2].mean()) > 200)  # blue against red

    assert all(is_apart(turn.validation) for turn in turns if turn.validation)
    assert not any(is_apart(turn.training) for turn in turns)
    later = list(task.batches(5, 10))
    assert all(torch.equal(one.training.search, other.training.search) for one, other in zip(later, turns[5:]))


@pytest.mark.parametrize("order", ORDERS)
def test_a_step_of_the_architecture_leaves_weights_statistics_and_generator_bit_for_bit(data, tmp_path, order):
    loop = opened(data, tmp_path, order=order, dropped="all")
    for turn in islice(loop.task.batches(0, 10), FIRST_ALPHA_STEP):
        loop.train_step(turn)
    turn = next(loop.task.batches(FIRST_ALPHA_STEP, 10))
    before = {key: value.clone() for key, value in loop.task.network.state_dict().items()}
    generator = torch.get_rng_state()
    values = loop.train_step(turn)
    assert torch.equal(torch.get_rng_state(), generator)
    changed = [key for key, value in loop.task.network.state_dict().items() if not torch.equal(value, before[key])]
    assert changed == [ALPHA]
    assert values["gradient"] > 0
    assert (values["share"] > 0) == (order != FIRST)


def test_a_step_of_the_weights_leaves_the_architecture_and_the_trunk(data, tmp_path):
    loop = opened(data, tmp_path)
    before = {key: value.clone() for key, value in loop.task.network.state_dict().items()}
    for turn in islice(loop.task.batches(0, 10), FIRST_ALPHA_STEP):
        loop.train_step(turn)
    changed = {key for key, value in loop.task.network.state_dict().items() if not torch.equal(value, before[key])}
    assert not [key for key in changed if key == ALPHA or key.startswith("backbone.")]
    assert "neck.cell.edges.0.sep3.0.0.weight" in changed
    assert "neck.cell.edges.0.sep3.0.2.running_mean" in changed


@pytest.mark.parametrize("order", ORDERS)
def test_the_architecture_learns_from_its_own_pairs_and_looks_ahead_on_those_of_the_weights(data, order):
    task = open_task(config(data, order=order), data, CPU)
    turns = list(task.batches(0, 10))
    turn, other = turns[2], turns[4]
    found = task.gradient(turn).total
    assert torch.equal(task.gradient(turn).total, found)
    assert not torch.equal(task.gradient(dataclasses.replace(turn, validation=other.validation)).total, found)
    ahead = task.gradient(dataclasses.replace(turn, training=other.training)).total
    assert torch.equal(ahead, found) == (order == FIRST)


def test_dropout_falls_to_zero_in_the_modules_that_drop(data, tmp_path):
    loop = opened(data, tmp_path, dropout=0.6)
    found = []
    for turn in loop.task.batches(0, 10):
        loop.train_step(turn)
        found.append({module.p for module in loop.task.cell.modules() if isinstance(module, nn.Dropout)})
    wanted = [0.6] * 2 + [0.4] * 4 + [0.2] * 4
    assert [rates.pop() for rates in found] == pytest.approx(wanted)
    assert not any(found)  # one rate for all


def test_the_held_out_loss_is_that_of_the_same_pairs_for_every_seed_and_of_no_dropout(data, tmp_path):
    first, second = (open_task(config(data, seed=seed, dropout=0.9), data, CPU) for seed in (0, 1))
    loss = first.held_out_loss()
    assert first.held_out_loss() == loss
    second.network.load_state_dict(first.network.state_dict())
    assert second.held_out_loss() == loss
    genotype = strongest(first.cell.alpha.detach().numpy(), 4)
    assert first.held_out_loss(genotype) != loss
    assert first.cell.chosen is None
    with torch.no_grad():
        assert 0 < first.score(first.network) < 1


def test_a_held_out_loss_that_is_no_number_is_an_error(data):
    task = open_task(config(data), data, CPU)
    task.network.rpn_head.cls.head[3].bias.data.fill_(float("nan"))
    with pytest.raises(InferenceError, match="the loss on the held-out pairs is nan"):
        task.held_out_loss()


def test_a_search_that_is_taken_up_anywhere_ends_with_the_same_bits(data, tmp_path):
    short = {"dropped": "all", "epoch_steps": 1, "steps": 5}
    whole = opened(data, tmp_path / "whole", **short)
    whole.run()
    for stop in (1, 2, 4):  # before a step of the architecture, and between it and that of the weights
        opened(data, tmp_path / str(stop), **short).run(until=stop)
        resumed = opened(data, tmp_path / str(stop), **short)
        assert resumed.step == stop
        resumed.run()
        for key, value in whole.task.network.state_dict().items():
            assert torch.equal(resumed.task.network.state_dict()[key], value), f"{key} after {stop}"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"steps": 9}, r"steps = 9 is no whole number of epochs(.|\n)*steps = 10"),
        ({"order": "second"}, "order = 'second'"),
        ({"dropped": "none"}, "dropped = 'none'"),
        ({"alpha_videos": []}, "needs videos of its own"),
        ({"alpha_videos": ["held"]}, "held cannot teach the architecture and be held out"),
        ({"model": "siamrpn_nano"}, "siamrpn_nano has no cell"),
    ],
)
def test_settings_that_mean_no_search_are_refused(data, changes, complaint):
    with pytest.raises(UsageError, match=complaint):
        open_task(config(data, **changes), data, CPU)


def test_pieces_without_truth_are_refused(data):
    with pytest.raises(UsageError, match="videos of the kind patches has no truth"):
        open_task(config(data, sources=[{"kind": "patches", "path": "videos"}]), data, CPU)


def test_a_start_with_another_trunk_is_refused(data, tmp_path):
    torch.save({"backbone.stem.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ArtifactError, match=r"holds no such trunk: it lacks backbone\.stem\.0\.weight"):
        open_task(config(data, start=str(tmp_path / "other.pth")), data, CPU)


def test_a_cell_is_trained_from_scratch_on_the_trunk_of_other_weights(data, tmp_path):
    text = "cell4:sep3@0,skip@1"
    settings = Config.from_table(
        {
            "model": "thin_cell",
            "architecture": text,
            "half": False,
            "start": str(data / "start.pth"),
            "sources": [{"kind": "videos", "path": "videos"}],
            "validation": ["held"],
            "steps": 1,
            "batch": 2,
            "validation_pairs": 2,
        }
    )
    task = open_task(settings, data, CPU)
    assert task.network.architecture == text
    start = torch.load(data / "start.pth", weights_only=True)
    assert torch.equal(task.network.backbone.stem[0].weight, start["backbone.stem.0.weight"])
    loop = Loop(task, settings, tmp_path)
    assert loop.train_step(next(task.batches(0, 1)))["loss"] > 0
