from __future__ import annotations

import pytest
import torch

from networks import models
from networks.checkpoint import load
from networks.models import MODELS
from networks.seeded import seeded
from siamtrt import UsageError
from siamtrt.card import TrackerConstants
from tests.networks.thin import thin_siamrpn
from tests.training.data import write_videos
from training.config import Config
from training.loop import Loop
from training.place import CPU
from training.tasks import open_task
from training.tasks.exits import divergence


@pytest.fixture(autouse=True)
def thin_model(monkeypatch):
    torch.set_num_threads(1)
    spec = models.ModelSpec(build=lambda _: thin_siamrpn(), tracker=TrackerConstants(0.05, 0.42, 0.38, source="test"))
    monkeypatch.setitem(MODELS, "thin", spec)


@pytest.fixture
def data(tmp_path):
    write_videos(tmp_path / "data" / "videos")
    torch.save(seeded("thin", 0).state_dict(), tmp_path / "start.pth")
    return tmp_path


def config(data, **changes):
    table = {
        "model": "thin",
        "kind": "exits",
        "start": str(data / "start.pth"),
        "sources": [{"kind": "videos", "path": "videos"}],
        "validation": ["held"],
        "steps": 4,
        "batch": 4,
        "lr": 5e-3,
        "warmup_steps": 1,
        "validate_steps": 2,
        "validation_pairs": 4,
        "checkpoint_minutes": 60.0,
    }
    return Config.from_table({**table, **changes})


def opened(settings, data, out="out"):
    return Loop(open_task(settings, data / "data", CPU), settings, data / out)


def test_steps_on_one_batch_lower_the_loss_of_every_exit(data):
    loop = opened(config(data, steps=40, batch=8), data)
    batch = next(loop.task.batches(0, 1))
    found = [loop.train_step(batch) for _ in range(30)]
    for name in ("exit1", "exit2", "exit3"):
        assert found[-1][name] < 0.8 * found[0][name]


def test_the_trunk_stays_and_the_rest_moves(data):
    loop = opened(config(data), data)
    before = {key: value.clone() for key, value in loop.task.network.state_dict().items()}
    for batch in loop.task.batches(0, 2):
        loop.train_step(batch)
    moved = {key for key, value in loop.task.network.state_dict().items() if not torch.equal(value, before[key])}
    assert not {key for key in moved if key.startswith("backbone.")}
    assert {"exits.cls_weight.2", "exits.loc_weight.2", "rpn_head.cls_weight"} <= moved
    assert {f"rpn_head.rpn{level}.cls.head.3.weight" for level in "234"} <= moved


def test_the_weights_load_with_their_exits_and_a_run_resumes_exactly(data):
    opened(config(data), data, "whole").run()
    parts = opened(config(data), data, "parts")
    for batch in parts.task.batches(0, 2):
        parts.train_step(batch)
    parts.save()
    opened(config(data), data, "parts").run()
    whole, again = (torch.load(data / out / "state.pth", weights_only=True)["network"] for out in ("whole", "parts"))
    for key, value in whole.items():
        torch.testing.assert_close(again[key], value, atol=0, rtol=0)
    assert load("thin", data / "whole" / "best.pth").score_names() == ("peak",)


def test_weights_that_spoil_the_last_exit_count_less_than_any_that_do_not(data):
    task = open_task(config(data), data / "data", CPU)
    good = task.score(task.network.eval())
    assert good == pytest.approx(sum(task.overlaps(task.network)) / 3)
    task._start = 2.0  # no weights reach it
    assert task.score(task.network) < 0


def test_an_exit_may_be_left_with_its_own_level_alone(data):
    task = open_task(config(data, recycling="own"), data / "data", CPU)
    row = task.network.exits.cls_weight["2"]
    torch.testing.assert_close(torch.softmax(row, 0), torch.tensor([0.0, 1.0]), atol=1e-9, rtol=0)
    assert not any(parameter is row for group in task.groups() for parameter in group.parameters)


@pytest.mark.parametrize("recycling", ["hidden", "neck"])
def test_what_is_recycled_is_trained(data, recycling):
    loop = opened(config(data, recycling=recycling), data)
    taken = dict(loop.task.network.exits.named_parameters())[f"{recycling}_cls.3"]
    assert not taken.any()
    for batch in loop.task.batches(0, 2):
        loop.train_step(batch)
    assert taken.any()


def test_exits_learn_while_the_last_one_stays_as_it_is(data):
    loop = opened(config(data, fixed_last=True), data)
    network = loop.task.network
    before = {key: value.clone() for key, value in network.state_dict().items()}
    for batch in loop.task.batches(0, 2):
        loop.train_step(batch)
    moved = {key for key, value in network.state_dict().items() if not torch.equal(value, before[key])}
    assert {"exits.cls_weight.2", "exits.readout_cls.1", "exits.readout_loc_bias.2"} <= moved
    assert all(key.startswith("exits.") for key in moved)


def test_the_divergence_of_two_maps():
    teacher, student = torch.tensor([[3.0, 0.0, 0.0, -2.0]]), torch.tensor([[2.0, 1.0, 0.0, -1.0]])
    assert divergence(teacher, student).item() == pytest.approx(0.361811, abs=1e-6)
    assert divergence(teacher, teacher).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"exit_weights": [1.0, 1.0]}, "2 exit_weights for 3 exits"),
        ({"recycling": "all"}, "recycling = 'all'"),
        ({"recycling": "neck", "fixed_last": True}, "with fixed_last, recycling is 'maps'"),
        ({"hard_negatives": 4}, "no teachers, no hard_negatives"),
        ({"model": "siamrpn_alexnet", "start": "none"}, "one level"),
        ({"gates": True}, "gates unknown"),
    ],
)
def test_a_wrong_setting_is_refused(data, changes, complaint):
    with pytest.raises(UsageError, match=complaint):
        open_task(config(data, **changes), data / "data", CPU)
