from __future__ import annotations

import pytest
import torch
from torch import nn

from networks import models
from networks.models import MODELS
from networks.seeded import seeded
from networks.tracker import TrackerNetwork, correlation
from siamtrt import UsageError
from siamtrt.card import TrackerConstants
from tests.training.data import write_videos
from training.config import Config
from training.loop import Loop
from training.place import CPU
from training.tasks import open_task

CONSTANTS = TrackerConstants(0.05, 0.42, 0.38, source="test")


class ThinPoints(TrackerNetwork):
    """A pixel-wise correlation between two layers."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 16, 16), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Conv2d(49, 6, 3, padding=1)

    def template(self, crop):
        return {"kernel": self.features(crop).flatten(2).transpose(1, 2)[:, :, :, None, None]}

    def search(self, crop):
        return {"feature": self.features(crop)}

    def correlate(self, features, kernels):
        out = self.head(correlation(features["feature"], kernels["kernel"]) / 8)
        return out[:, :2], 16 * nn.functional.softplus(out[:, 2:])

    def fold(self):
        pass


@pytest.fixture(autouse=True)
def thin_model(monkeypatch):
    torch.set_num_threads(1)
    fields = {"family": "ban", "stride": 16, "search_px": 256, "anchor_ratios": (), "anchor_scales": ()}
    monkeypatch.setitem(MODELS, "thin", models.ModelSpec(build=lambda _: ThinPoints(), tracker=CONSTANTS, **fields))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    write_videos(root / "videos")
    return root


def config(**changes):
    table = {
        "model": "thin",
        "kind": "ban",
        "sources": [{"kind": "videos", "path": "videos"}],
        "validation": ["held"],
        "steps": 6,
        "batch": 4,
        "lr": 5e-3,
        "warmup_steps": 1,
        "validate_steps": 3,
        "validation_pairs": 4,
        "checkpoint_minutes": 60.0,
    }
    return Config.from_table({**table, **changes})


def opened(settings, data, out):
    return Loop(open_task(settings, data, CPU), settings, out)


def test_steps_on_one_batch_lower_both_of_its_losses(data, tmp_path):
    loop = opened(config(steps=40, batch=8), data, tmp_path)
    batch = next(loop.task.batches(0, 1))
    found = [loop.train_step(batch) for _ in range(30)]
    for name in ("cls", "loc"):
        assert found[-1][name] < 0.8 * found[0][name]


def test_a_resumed_run_ends_as_a_whole_one(data, tmp_path):
    opened(config(), data, tmp_path / "whole").run()
    parts = opened(config(), data, tmp_path / "parts")
    for batch in parts.task.batches(0, 2):
        parts.train_step(batch)
    parts.save()
    resumed = opened(config(), data, tmp_path / "parts")
    resumed.run()
    whole = torch.load(tmp_path / "whole" / "state.pth", weights_only=True)
    again = torch.load(tmp_path / "parts" / "state.pth", weights_only=True)
    for key, value in whole["network"].items():
        torch.testing.assert_close(again["network"][key], value, atol=0, rtol=0)
    assert whole["history"][-1]["score"] == again["history"][-1]["score"]


def test_norms_can_be_left_as_they_are(data, tmp_path):
    statistics = {}
    for train_norms in (True, False):
        loop = opened(config(train_norms=train_norms, trunk_lr_share=0.5), data, tmp_path / str(train_norms))
        loop.train_step(next(loop.task.batches(0, 1)))
        statistics[train_norms] = loop.task.network.features[1].running_mean.abs().sum()
    assert statistics[False] == 0
    assert statistics[True] > 0


def test_published_weights_have_their_norms_measured_before_they_are_trained(data, tmp_path):
    torch.save(seeded("thin", 0).state_dict(), tmp_path / "start.pth")
    task = open_task(config(start=str(tmp_path / "start.pth")), data, CPU)
    kept = open_task(config(start=str(tmp_path / "start.pth"), train_norms=False), data, CPU)
    batch = next(task.batches(0, 1))
    assert not torch.equal(task.network.features[1].running_mean, kept.network.features[1].running_mean)
    with torch.no_grad():
        one, other = (trained.network.eval()(batch.template, batch.search)[0] for trained in (task, kept))
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_the_trunk_learns_at_its_own_rate_and_from_its_own_step(data):
    groups = open_task(config(trunk_lr_share=0.2, trunk_from_step=7), data, CPU).groups()
    assert [(group.lr_share, group.from_step) for group in groups] == [(1.0, 0), (0.2, 7)]
    assert sum(len(list(group.parameters)) for group in groups) == len(list(ThinPoints().parameters()))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"model": "siamrpn_lite0"}, "is of the family rpn, this task trains ban"),
        ({"start": "imagenet"}, "unknown start 'imagenet'"),
        ({"points": 3}, "points unknown"),
        ({"sources": [{"kind": "patches", "path": "videos"}]}, "videos of the kind patches has no truth"),
    ],
)
def test_a_wrong_setting_is_refused(data, changes, complaint):
    with pytest.raises(UsageError, match=complaint):
        open_task(config(**changes), data, CPU)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nanotrack_v3", "lighttrack_mobile"])
def test_the_anchor_free_models_take_a_step(data, tmp_path, name):
    loop = opened(config(model=name, batch=2, validation_pairs=2), data, tmp_path)
    before = {key: tensor.clone() for key, tensor in loop.task.network.named_parameters()}
    loop.train_step(next(loop.task.batches(0, 1)))
    moved = {
        key.split(".")[0]
        for key, tensor in loop.task.network.named_parameters()
        if not torch.equal(tensor, before[key])
    }
    assert {"features", "head"} <= moved or {"backbone", "ban_head"} <= moved
