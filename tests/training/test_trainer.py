from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch

from networks import models
from networks.models import MODELS
from siamtrt import ArtifactError, InferenceError, MissingDependencyError, UsageError, cli
from siamtrt.card import TrackerConstants
from tests.networks.thin import thin_siamrpn
from tests.training.data import write_videos
from training import start_weights
from training.__main__ import _arguments, main
from training.batches import batches
from training.config import Config, SourceConfig
from training.report import draw
from training.sources import open_sources
from training.trainer import BEST_NAME, STATE_NAME, Trainer, learning_rate

_NORMS = ("backbone.stem.1", "neck.downsample2.downsample.1")
_WHOLE = "model = 'thin'\n{}\n[[sources]]\nkind = 'videos'\npath = 'videos'\n"


@pytest.fixture(autouse=True)
def thin_model(monkeypatch):
    torch.set_num_threads(1)
    spec = models.ModelSpec(
        build=lambda state: thin_siamrpn(), tracker=TrackerConstants(0.05, 0.42, 0.38, source="test")
    )
    monkeypatch.setitem(MODELS, "thin", spec)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    write_videos(root / "videos")
    return root


def config(**changes):
    fields = {
        "model": "thin",
        "start": "none",
        "sources": (SourceConfig(kind="videos", path="videos"),),
        "validation": ("held",),
        "steps": 6,
        "batch": 4,
        "lr": 5e-3,
        "warmup_steps": 1,
        "validate_steps": 3,
        "validation_pairs": 4,
        "checkpoint_minutes": 60.0,
    }
    return Config(**{**fields, **changes})


def test_steps_on_one_batch_lower_its_loss(data, tmp_path):
    trainer = Trainer(config(steps=40), data, tmp_path)
    batch = next(iter(islice(batches(trainer._sampler, 0, 1, 8, 0, 1), 1)))
    found = [trainer.train_step(batch)["loss"] for _ in range(25)]
    assert sum(found[-5:]) < 0.7 * sum(found[:5])


def test_a_resumed_run_has_the_same_losses(data, tmp_path):
    whole = Trainer(config(), data, tmp_path / "whole")
    whole.run()
    parted = Trainer(config(), data, tmp_path / "parted")
    for batch in islice(batches(parted._sampler, 0, 6, 4, 0, 1), 3):
        parted.train_step(batch)
    parted.save()
    resumed = Trainer(config(), data, tmp_path / "parted")
    assert resumed.step == 3
    resumed.run()
    assert [entry["loss"] for entry in resumed.history] == [entry["loss"] for entry in whole.history]


def test_a_seed_repeats_and_another_differs(data, tmp_path):
    runs = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        trainer = Trainer(config(seed=seed, steps=2), data, tmp_path / name)
        trainer.run()
        runs.append([entry["loss"] for entry in trainer.history])
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_the_trunk_is_frozen_until_its_step(data, tmp_path):
    settings = config(trunk_layers=("widest",), trunk_from_step=2, steps=4)
    trainer = Trainer(settings, data, tmp_path)

    def weights(name):
        return trainer.network.get_parameter(f"backbone.{name}.0.weight").detach().clone()

    before = {name: weights(name) for name in ("stem", "widest")}
    stream = batches(trainer._sampler, 0, 4, 4, 0, 1)
    for batch in islice(stream, 2):
        trainer.train_step(batch)
    assert torch.equal(weights("widest"), before["widest"])
    for batch in stream:
        trainer.train_step(batch)
    assert not torch.equal(weights("widest"), before["widest"])
    assert torch.equal(weights("stem"), before["stem"])


def test_the_norms_of_the_trunk_keep_their_statistics(data, tmp_path):
    trainer = Trainer(config(), data, tmp_path)
    kept, moving = (trainer.network.get_buffer(f"{name}.running_mean").clone() for name in _NORMS)
    trainer.run()
    assert torch.equal(trainer.network.get_buffer(f"{_NORMS[0]}.running_mean"), kept)
    assert not torch.equal(trainer.network.get_buffer(f"{_NORMS[1]}.running_mean"), moving)


def test_the_average_follows_slowly_and_is_what_is_kept(data, tmp_path):
    trainer = Trainer(config(steps=3), data, tmp_path)
    name = next(key for key, _ in trainer.network.named_parameters() if not key.startswith("backbone"))
    expected = trainer.network.state_dict()[name].clone()
    for step, batch in enumerate(batches(trainer._sampler, 0, 3, 4, 0, 1)):
        trainer.train_step(batch)
        decay = (1 + step) / (10 + step)
        expected = decay * expected + (1 - decay) * trainer.network.state_dict()[name]
    torch.testing.assert_close(trainer._average[name], expected)
    trainer._validate({"loss": 0.0})
    torch.testing.assert_close(torch.load(tmp_path / BEST_NAME, weights_only=True)[name], expected)


def test_gradients_are_clipped(data, tmp_path, monkeypatch):
    norms = []
    original = torch.nn.utils.clip_grad_norm_

    def watched(parameters, limit):
        parameters = list(parameters)
        original(parameters, limit)
        grads = [parameter.grad.norm() for parameter in parameters if parameter.grad is not None]
        norms.append((float(torch.stack(grads).norm()), limit))

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", watched)
    trainer = Trainer(config(steps=2, loc_weight=1e4), data, tmp_path)
    trainer.run()
    assert len(norms) == 2
    assert all(norm <= limit * 1.001 == 10 * 1.001 for norm, limit in norms)


def test_worse_weights_do_not_replace_the_best(data, tmp_path, monkeypatch):
    overlaps = iter([0.5, 0.4])
    monkeypatch.setattr("training.trainer.validation_overlap", lambda *_: next(overlaps))
    trainer = Trainer(config(), data, tmp_path)
    kept = []
    original = trainer._validate
    trainer._validate = lambda values: (original(values), kept.append((tmp_path / BEST_NAME).read_bytes()))
    trainer.run()
    assert kept[0] == kept[1]


def test_a_loss_that_is_no_number_ends_the_run_with_the_last_good_weights(data, tmp_path):
    trainer = Trainer(config(lr=1e30), data, tmp_path)
    with pytest.raises(InferenceError, match=r"loss of step [1-9]") as refusal:
        trainer.run()
    assert "lower lr" in str(refusal.value)
    assert torch.load(tmp_path / STATE_NAME, weights_only=True)["step"] < 6


def test_the_rate_warms_up_and_falls_as_a_cosine():
    settings = config(steps=110, warmup_steps=10, lr=1.0)
    assert learning_rate(settings, 0) == pytest.approx(0.1)
    assert learning_rate(settings, 10) == pytest.approx(1.0)
    assert learning_rate(settings, 60) == pytest.approx(0.5)
    assert learning_rate(settings, 110) == pytest.approx(0.0)


def test_processes_draw_different_pairs(data, tmp_path):
    sampler = Trainer(config(), data, tmp_path)._sampler
    first, second = (next(iter(batches(sampler, 0, 1, 4, rank, 2))) for rank in (0, 1))
    assert not torch.equal(first.boxes, second.boxes)


def test_the_command_trains_resumes_and_writes_half_weights_and_curves(data, tmp_path, capsys):
    path = tmp_path / "thin.toml"
    path.write_text(
        'model = "thin"\nstart = "none"\nsteps = 4\nbatch = 2\nvalidate_steps = 2\nvalidation_pairs = 2\n'
        'validation = ["held"]\n[[sources]]\nkind = "videos"\npath = "videos"\n'
    )
    out = tmp_path / "out"
    argv = ["--quiet", "--config", str(path), "--data", str(data), "--out", str(out)]
    assert cli.run(main, _arguments(), argv) == 0
    assert capsys.readouterr().out == f"{out / 'thin.pth'}\n"
    state = torch.load(out / "thin.pth", weights_only=True)
    assert {value.dtype for value in state.values()} == {torch.float16}
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert cli.run(main, _arguments(), argv) == 0  # nothing is left to do


def test_a_full_disk_keeps_the_last_good_state(data, tmp_path, monkeypatch):
    trainer = Trainer(config(), data, tmp_path)
    trainer.save()
    good = (tmp_path / STATE_NAME).read_bytes()

    def full(*_):
        raise RuntimeError("[enforce fail at inline_container.cc] . PytorchStreamWriter failed writing file")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(ArtifactError, match="the last state is kept"):
        trainer.save()
    assert (tmp_path / STATE_NAME).read_bytes() == good


def test_a_damaged_state_is_refused(data, tmp_path):
    (tmp_path / STATE_NAME).write_bytes(b"not a state")
    with pytest.raises(ArtifactError, match="not a whole state"):
        Trainer(config(), data, tmp_path)


def test_images_alone_hold_nothing_out(data, tmp_path):
    (data / "pictures").mkdir(exist_ok=True)
    with pytest.raises(UsageError, match="no source has videos to hold out"):
        open_sources(config(sources=(SourceConfig(kind="images", path="pictures"),)), data, validation=True)


def test_a_state_of_another_configuration_is_refused(data, tmp_path):
    Trainer(config(), data, tmp_path).save()
    with pytest.raises(ArtifactError, match="another configuration"):
        Trainer(config(lr=1.0), data, tmp_path)


def test_the_best_weights_are_kept(data, tmp_path):
    trainer = Trainer(config(), data, tmp_path)
    trainer.run()
    assert (tmp_path / BEST_NAME).is_file()
    held_out = [entry["overlap"] for entry in trainer.history if "overlap" in entry]
    assert len(held_out) == 2
    assert all(0 <= overlap <= 1 for overlap in held_out)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("speed = 3\n", "unexpected keyword argument 'speed'"),
        ("model = [", "cannot read"),
        ("", "missing"),
        (_WHOLE.format("steps = 'a'"), "steps = 'a' is not of the kind int"),
        (_WHOLE.format("steps = 9\nvalidation_pairs = 0"), "validation_pairs = 0 is not at least 1"),
        ("model = 'thin'\nsteps = 9", "no source"),
    ],
)
def test_a_bad_configuration_is_refused(tmp_path, text, complaint):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=complaint):
        Config.load(path)
    with pytest.raises(UsageError, match="cannot read"):
        Config.load(tmp_path / "nowhere.toml")


def test_other_families_and_starts_are_refused(data, tmp_path):
    with pytest.raises(UsageError, match="training knows rpn"):
        Trainer(config(model="nanotrack_v3"), data, tmp_path)
    with pytest.raises(UsageError, match="unknown start 'mars'"):
        Trainer(config(start="mars"), data, tmp_path)


def test_a_second_round_starts_from_the_weights_of_the_first(data, tmp_path):
    first = Trainer(config(steps=2), data, tmp_path / "first")
    first.run()
    second = Trainer(config(start=str(tmp_path / "first" / BEST_NAME), seed=5), data, tmp_path / "second")
    best = torch.load(tmp_path / "first" / BEST_NAME, weights_only=True)
    assert second.step == 0
    for key, value in second.network.state_dict().items():
        assert torch.equal(value, best[key]), key


def test_missing_start_weights_name_their_package(monkeypatch):
    monkeypatch.setattr(start_weights, "_PACKAGE", "no_such_package")
    with pytest.raises(MissingDependencyError, match="requirements/training"):
        start_weights.load_imagenet(models.build("siamrpn_lite0").backbone)


CONFIGS = Path(__file__).parents[2] / "training" / "configs"


@pytest.mark.parametrize("name", ["siamrpn_lite0", "siamrpn_lite0_sizes"])
def test_the_shipped_configurations_are_valid(name):
    settings = Config.load(CONFIGS / f"{name}.toml")
    assert settings.model == "siamrpn_lite0"
    assert settings.steps > 0


def test_the_curves_are_drawn(tmp_path):
    history = [{"step": s, "loss": 1 / s, "cls": 0.5 / s, "loc": 0.5 / s, "lr": 0.1} for s in range(1, 9)]
    history[-1]["overlap"] = 0.5
    draw(history, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 5000
