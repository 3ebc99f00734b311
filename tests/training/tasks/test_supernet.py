from __future__ import annotations

import pytest
import torch

from networks.lighttrack.architecture import parse
from networks.lighttrack.network import LightTrack
from siamtrt import UsageError, cli
from tests.training.data import write_videos
from training.__main__ import arguments, main
from training.config import Config
from training.loop import Loop
from training.place import CPU, Place
from training.tasks import open_task

SMALL = parse(f"back_044{'0' * 16}0+cls_012222222+reg_002222222_ops_20")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("data")
    write_videos(root / "videos")
    torch.manual_seed(0)
    torch.save(LightTrack(SMALL).state_dict(), root / "start.pth")
    return root


def config(data, **changes):
    table = {
        "model": "lighttrack_mobile",
        "kind": "supernet",
        "start": str(data / "start.pth"),
        "sources": [{"kind": "videos", "path": "videos"}],
        "validation": ["held"],
        "steps": 4,
        "batch": 2,
        "lr": 1e-3,
        "warmup_steps": 1,
        "validate_steps": 4,
        "validation_pairs": 2,
        "checkpoint_minutes": 60.0,
    }
    return Config.from_table({**table, **changes})


def strings(paths):
    return [tuple(map(str, path.architectures)) for path in paths]


def test_the_networks_of_a_step_follow_from_its_number(data):
    task = open_task(config(data), data, CPU)
    whole = strings(task.batches(0, 4))
    assert strings(task.batches(2, 4)) == whole[2:]
    assert len({drawn for _, _, drawn in whole}) > 1
    other = open_task(config(data, seed=1), data, CPU)
    assert strings(other.batches(0, 4)) != whole


def test_a_sandwich_has_the_largest_and_the_smallest_network(data):
    largest, smallest, _ = next(open_task(config(data), data, CPU).batches(0, 1)).architectures
    assert largest == SMALL
    assert str(smallest) == f"back_0{'0' * 18}0+cls_002222222+reg_002222222_ops_20"
    alone = next(open_task(config(data, sandwich=False), data, CPU).batches(0, 1))
    assert len(alone.architectures) == 1


def test_processes_train_different_networks(data):
    first, second = (open_task(config(data, sandwich=False), data, Place(CPU.device, rank, 2)) for rank in (0, 1))
    assert strings(first.batches(0, 3)) != strings(second.batches(0, 3))


def test_a_step_trains_the_shared_weights_and_the_state_is_a_checkpoint(data, tmp_path):
    settings = config(data)
    loop = Loop(open_task(settings, data, CPU), settings, tmp_path)
    before = loop.task.network.module.features.blocks[1][0].conv_dw.weight.clone()
    statistics = loop.task.network.module.features.bn1.running_mean.clone()
    values = loop.train_step(next(loop.task.batches(0, 1)))
    assert values["loss"] == pytest.approx(values["cls"] + 1.2 * values["loc"], rel=1e-5)
    assert not torch.equal(loop.task.network.module.features.blocks[1][0].conv_dw.weight, before)
    assert torch.equal(loop.task.network.module.features.bn1.running_mean, statistics)
    assert 0 <= loop.task.score(loop.task.network) <= 1


@pytest.mark.slow
def test_the_whole_space_trains_one_network_a_step(data, tmp_path):
    settings = config(data, space="whole", start="none")
    loop = Loop(open_task(settings, data, CPU), settings, tmp_path)
    paths = next(loop.task.batches(0, 1))
    before = {key: tensor.clone() for key, tensor in loop.task.network.choices.named_parameters()}
    loop.train_step(paths)
    moved = {
        key.split(".")[0]
        for key, tensor in loop.task.network.choices.named_parameters()
        if not torch.equal(tensor, before[key])
    }
    (drawn,) = paths.architectures
    assert moved == {f"{s}_{b}_{digit}" for s, digits in enumerate(drawn.stages) for b, digit in enumerate(digits)}


@pytest.mark.parametrize(
    "changes",
    [{"space": "round"}, {"space": "whole"}, {"start": "nowhere.pth"}, {"model": "nanotrack_v3", "start": "none"}],
)
def test_a_space_that_does_not_fit_its_start_is_refused(data, changes):
    with pytest.raises(UsageError, match=r"there is no space|unknown start|only a LightTrack"):
        open_task(config(data, **changes), data, CPU)


def test_weights_are_named_after_the_model_that_a_configuration_leaves_to_the_default(data, tmp_path, capsys):
    path, out = tmp_path / "supernet.toml", tmp_path / "out"
    path.write_text(
        "steps = 1\nvalidate_steps = 1\n"
        f"[task]\nkind = 'supernet'\nsandwich = false\nstart = '{data / 'start.pth'}'\n"
        "[data]\nbatch = 2\nvalidation_pairs = 2\nvalidation = ['held']\n"
        "[[data.sources]]\nkind = 'videos'\npath = 'videos'\n"
    )
    assert cli.run(main, arguments(), ["--quiet", "--config", str(path), "--data", str(data), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out / 'lighttrack_mobile.pth'}\n"
