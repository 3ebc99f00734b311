from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from networks import models
from networks.checkpoint import load
from networks.exits import FEATURE, with_exits
from networks.models import MODELS
from networks.seeded import seeded
from siamtrt import ArtifactError, UsageError
from siamtrt.card import TrackerConstants
from siamtrt.files import sha256
from tests.networks.thin import thin_siamrpn
from training.config import Config
from training.loop import Loop
from training.place import CPU
from training.tasks import open_task

FEATURES = 12 + 8 + 8


@pytest.fixture(autouse=True)
def thin_model(monkeypatch):
    torch.set_num_threads(1)
    spec = models.ModelSpec(build=lambda _: thin_siamrpn(), tracker=TrackerConstants(0.05, 0.42, 0.38, source="test"))
    monkeypatch.setitem(MODELS, "thin", spec)


def write_table(path, checkpoint_sha256, count=300, seed=0, features=FEATURES):
    """Rows whose first feature tells whether depth helps."""
    rng = np.random.default_rng(seed)
    easy = rng.random(count) < 0.5
    overlaps = np.column_stack([np.where(easy, 0.8, 0.3), np.where(easy, 0.8, 0.5), np.full(count, 0.8)])
    values = rng.random((count, 3, features))
    values[:, :, 0] += 3 * easy[:, None]
    names = ["peak", *(f"{FEATURE}{index}" for index in range(features))]
    scores = np.concatenate([rng.random((count, 3, 1)), values], 2)
    about = {"score_names": names, "checkpoint_sha256": checkpoint_sha256}
    np.savez(path, about=np.array(json.dumps(about)), scores=scores, overlaps=overlaps)


@pytest.fixture
def data(tmp_path):
    torch.save(with_exits(seeded("thin", 0)).state_dict(), tmp_path / "start.pth")
    write_table(tmp_path / "train.npz", sha256(tmp_path / "start.pth"))
    write_table(tmp_path / "held.npz", sha256(tmp_path / "start.pth"), seed=1)
    return tmp_path


def config(data, **changes):
    table = {
        "model": "thin",
        "kind": "exit_scores",
        "start": str(data / "start.pth"),
        "tables": ["train.npz"],
        "held_out": ["held.npz"],
        "costs": [0.4, 0.7, 1.0],
        "sources": [{"kind": "videos", "path": "none"}],
        "steps": 200,
        "batch": 64,
        "lr": 2e-2,
        "warmup_steps": 1,
        "validate_steps": 50,
        "checkpoint_minutes": 60.0,
    }
    return Config.from_table({**table, **changes})


def opened(settings, data, out="out"):
    return Loop(open_task(settings, data, CPU), settings, data / out)


def test_scores_are_fitted_further_on_the_way_of_their_own_policy(data):
    first = opened(config(data), data)
    first.run()
    begun = data / "out" / "best.pth"
    write_table(data / "again.npz", sha256(begun), seed=2)
    task = open_task(config(data, start=str(begun), tables=["again.npz"], held_out=["again.npz"]), data, CPU)
    found, fitted = task.network.state_dict(), torch.load(begun, weights_only=True)
    for key in ("exits.gate.1.mean", "exits.quality.2.inner.weight"):
        torch.testing.assert_close(found[key], fitted[key])


@pytest.mark.parametrize("way", [{"recycling": "neck"}, {"readouts": True}])
def test_scores_of_exits_of_any_kind_are_fitted(data, way):
    torch.save(with_exits(seeded("thin", 0), **way).state_dict(), data / "start.pth")
    for name in ("train.npz", "held.npz"):
        write_table(data / name, sha256(data / "start.pth"))
    opened(config(data, steps=2), data).run()
    kept = torch.load(data / "out" / "best.pth", weights_only=True)
    assert set(torch.load(data / "start.pth", weights_only=True)) < set(kept)


def keep_scores(network, data):
    rows = np.load(data / "held.npz")
    features = torch.from_numpy(rows["scores"][:, 0, 1:]).float()
    said = network.exits.quality_of(1).logits(features).sigmoid().detach()
    return said[:, 1].numpy(), rows["overlaps"][:, 0] > 0.5


def test_scores_learn_where_depth_helps_and_the_network_stays(data):
    loop = opened(config(data), data)
    before = {key: value.clone() for key, value in loop.task.network.state_dict().items()}
    loop.run()
    moved = {key for key, value in loop.task.network.state_dict().items() if not torch.equal(value, before[key])}
    assert {key.split(".")[1] for key in moved} == {"gate", "quality"}
    network = load("thin", data / "out" / "best.pth")
    assert network.score_names() == ("peak", "gate", "iou", "keep")
    said, easy = keep_scores(network, data)
    assert said[easy].min() > said[~easy].max()


def test_a_high_price_opens_the_first_gate_and_none_leaves_it_to_the_overlap(data):
    opening = {}
    for price in (0.0, 30.0):
        loop = opened(config(data, gate_lambda=price), data, str(price))
        loop.run()
        features = torch.from_numpy(np.load(data / "held.npz")["scores"][:, 0, 1:13]).float()
        network = load("thin", data / str(price) / "best.pth")
        opening[price] = network.exits.gate_of(1).logits(features).sigmoid().mean().item()
    assert opening[0.0] < 0.6
    assert opening[30.0] > opening[0.0] + 0.3


def test_a_resumed_run_ends_as_a_whole_one(data):
    settings = config(data, steps=6, validate_steps=3)
    opened(settings, data, "whole").run()
    parts = opened(settings, data, "parts")
    for batch in parts.task.batches(0, 2):
        parts.train_step(batch)
    parts.save()
    opened(settings, data, "parts").run()
    whole, again = (torch.load(data / out / "state.pth", weights_only=True)["network"] for out in ("whole", "parts"))
    for key, value in whole.items():
        torch.testing.assert_close(again[key], value, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [({"costs": [0.4, 1.0]}, "2 costs for 3 exits"), ({"gate_cost": "none"}, "gate_cost = 'none'")],
)
def test_a_wrong_setting_is_refused(data, changes, complaint):
    with pytest.raises(UsageError, match=complaint):
        open_task(config(data, **changes), data, CPU)


def test_weights_without_exits_are_refused(data):
    torch.save(seeded("thin", 0).state_dict(), data / "plain.pth")
    with pytest.raises(UsageError, match="has no exits"):
        open_task(config(data, start=str(data / "plain.pth")), data, CPU)


def test_a_table_of_another_network_is_refused(data):
    write_table(data / "other.npz", "0" * 64)
    with pytest.raises(ArtifactError, match="is of other weights"):
        open_task(config(data, tables=["other.npz"]), data, CPU)
    write_table(data / "other.npz", sha256(data / "start.pth"), features=20)
    with pytest.raises(ArtifactError, match="has 20 features an exit"):
        open_task(config(data, tables=["other.npz"]), data, CPU)
    with pytest.raises(ArtifactError, match="no table of exits"):
        open_task(config(data, tables=["none.npz"]), data, CPU)
