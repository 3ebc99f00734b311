from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch

import training
from networks import models
from networks.models import MODELS
from siamtrt import ArtifactError, MissingDependencyError, UsageError, cli
from siamtrt.card import TrackerConstants
from tests.networks.thin import thin_siamrpn
from tests.training.data import write_videos
from training import start_weights
from training.__main__ import arguments, main
from training.config import Config
from training.half import write_half
from training.loop import BEST_NAME, Loop
from training.place import CPU, Place
from training.report import CURVES_NAME, HISTORY_NAME
from training.tasks import open_task

CONFIGS = Path(training.__file__).parent / "configs"
_NORMS = ("backbone.stem.1", "neck.downsample2.downsample.1")


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
    table = {
        "model": "thin",
        "start": "none",
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


def opened(settings, data, out, place=CPU):
    return Loop(open_task(settings, data, place), settings, out, place)


def test_steps_on_one_batch_lower_its_loss(data, tmp_path):
    loop = opened(config(steps=40, batch=8), data, tmp_path)
    batch = next(loop.task.batches(0, 1))
    found = [loop.train_step(batch)["loss"] for _ in range(25)]
    assert sum(found[-5:]) < 0.7 * sum(found[:5])


@pytest.mark.parametrize(("half", "kind"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_step_computes_in_bfloat16_only_if_half(data, half, kind):
    task, kinds = open_task(config(half=half), data, CPU), set()
    for module in task.network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda module, inputs, output: kinds.add(output.dtype))
    task.losses(next(task.batches(0, 1)))
    assert kinds == {kind}


def test_a_resumed_run_has_the_same_losses(data, tmp_path):
    whole = opened(config(), data, tmp_path / "whole")
    whole.run()
    parted = opened(config(), data, tmp_path / "parted")
    for batch in islice(parted.task.batches(0, 6), 3):
        parted.train_step(batch)
    parted.save()
    resumed = opened(config(), data, tmp_path / "parted")
    assert resumed.step == 3
    resumed.run()
    assert [entry["loss"] for entry in resumed.history] == [entry["loss"] for entry in whole.history]


def test_a_seed_repeats_and_another_differs(data, tmp_path):
    runs = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        loop = opened(config(seed=seed, steps=2), data, tmp_path / name)
        loop.run()
        runs.append([entry["loss"] for entry in loop.history])
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_the_named_layers_of_the_trunk_train_from_their_step_at_their_share(data, tmp_path):
    settings = config(trunk_layers=["widest"], trunk_from_step=2, trunk_lr_share=0.25, steps=4)
    loop = opened(settings, data, tmp_path)

    def weights(name):
        return loop.task.network.get_parameter(f"backbone.{name}.0.weight").detach().clone()

    before = {name: weights(name) for name in ("stem", "widest")}
    for step, batch in enumerate(loop.task.batches(0, 4)):
        loop.train_step(batch)
        assert torch.equal(weights("widest"), before["widest"]) == (step < 2)
    assert torch.equal(weights("stem"), before["stem"])
    heads, trunk = loop.task.groups()
    assert (heads.lr_share, trunk.lr_share) == (1.0, 0.25)
    assert len(trunk.parameters) == 4  # a convolution and a norm


def test_the_norms_of_the_trunk_keep_their_statistics(data, tmp_path):
    loop = opened(config(), data, tmp_path)
    network = loop.task.network
    kept, moving = (network.get_buffer(f"{name}.running_mean").clone() for name in _NORMS)
    loop.run()
    assert torch.equal(network.get_buffer(f"{_NORMS[0]}.running_mean"), kept)
    assert not torch.equal(network.get_buffer(f"{_NORMS[1]}.running_mean"), moving)


def test_the_anchors_lie_around_the_middle_of_the_crop(data):
    grid = open_task(config(), data, CPU).grid
    assert grid.shape == (4, 5 * 25 * 25)
    assert (grid[:2].min(), grid[:2].mean(), grid[:2].max()) == pytest.approx((31.5, 127.5, 223.5))
    assert grid[2:, 2 * 625].tolist() == [64, 64]  # the third ratio is 1


def test_processes_draw_different_pairs(data):
    first, second = (
        next(open_task(config(), data, Place(torch.device("cpu"), rank, 2)).batches(0, 1)) for rank in (0, 1)
    )
    assert (first.number, second.number) == (0, 1)
    assert not torch.equal(first.boxes, second.boxes)


def test_a_narrower_checkpoint_is_trained_validated_and_resumed(data, tmp_path):
    """A pruned model: four of six channels are left between two stages of the trunk."""
    narrow = {}
    for key, value in thin_siamrpn().state_dict().items():
        if key.startswith("backbone.wider.") and value.dim():
            narrow[key] = value[:4].clone()
        elif key in ("backbone.widest.0.weight", "neck.downsample3.downsample.0.weight"):
            narrow[key] = value[:, :4].clone()
        else:
            narrow[key] = value
    torch.save(narrow, tmp_path / "narrow.pth")
    settings = config(start=str(tmp_path / "narrow.pth"))
    loop = opened(settings, data, tmp_path / "out")
    for batch in islice(loop.task.batches(0, 6), 3):
        loop.train_step(batch)
    loop._score_when_due()
    loop.save()
    resumed = opened(settings, data, tmp_path / "out")
    resumed.run()
    assert len([entry for entry in resumed.history if "score" in entry]) == 2
    best = torch.load(tmp_path / "out" / BEST_NAME, weights_only=True)
    assert best["backbone.wider.0.weight"].shape[0] == 4


def test_a_second_round_starts_from_the_weights_of_the_first(data, tmp_path):
    opened(config(steps=2), data, tmp_path / "first").run()
    second = opened(config(start=str(tmp_path / "first" / BEST_NAME), seed=5), data, tmp_path / "second")
    best = torch.load(tmp_path / "first" / BEST_NAME, weights_only=True)
    assert second.step == 0
    for key, value in second.task.network.state_dict().items():
        assert torch.equal(value, best[key]), key


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"model": "nanotrack_v3"}, "this task trains rpn"),
        ({"start": "mars"}, "unknown start 'mars'"),
        ({"model": "siamrpn_mobilenetv2", "start": "imagenet"}, "no ImageNet weights for the trunk of siamrpn_mobile"),
        ({"kind": "sound"}, "unknown kind of task 'sound'"),
        ({"speed": 3}, r"\[task\]: speed unknown(.|\n)*known keys: model, kind, start"),
    ],
)
def test_models_starts_and_kinds_that_do_not_fit_are_refused(data, changes, complaint):
    with pytest.raises(UsageError, match=complaint):
        open_task(config(**changes), data, CPU)


def test_weights_to_start_from_that_are_not_there_are_named(data):
    with pytest.raises(ArtifactError, match=r"no such file: weights/absent\.pth, which the training starts from"):
        open_task(config(start="weights/absent.pth"), data, CPU)


def test_a_layer_that_the_trunk_lacks_is_named(data, tmp_path):
    with pytest.raises(UsageError, match="no 'layer9' in this trunk"):
        opened(config(trunk_layers=("layer9",)), data, tmp_path)


def test_the_default_start_is_refused_with_a_way_out_where_it_does_not_fit(data):
    settings = config(model="siamrpn_alexnet")
    table = {key: value for key, value in settings.task.items() if key != "start"}
    with pytest.raises(UsageError, match='start = "none" or the path of weights; the default is "imagenet"'):
        open_task(Config(steps=1, data=settings.data, task=table), data, CPU)


def test_missing_start_weights_name_their_package(monkeypatch):
    monkeypatch.setattr(start_weights, "_PACKAGE", "no_such_package")
    with pytest.raises(MissingDependencyError, match="requirements/training"):
        start_weights.load_imagenet(models.build("siamrpn_lite0").backbone)


def test_the_command_trains_resumes_and_writes_half_weights_curves_and_history(data, tmp_path, capsys):
    path = tmp_path / "thin.toml"
    path.write_text(
        "steps = 4\nvalidate_steps = 2\n[task]\nmodel = 'thin'\nstart = 'none'\n"
        "[data]\nbatch = 2\nvalidation_pairs = 2\nvalidation = ['held']\n"
        "[[data.sources]]\nkind = 'videos'\npath = 'videos'\n"
    )
    out = tmp_path / "out"
    argv = ["--quiet", "--config", str(path), "--data", str(data), "--out", str(out)]
    assert cli.run(main, arguments(), argv) == 0
    assert capsys.readouterr().out == f"{out / 'thin.pth'}\n"
    state = torch.load(out / "thin.pth", weights_only=True)
    assert {value.dtype for value in state.values()} == {torch.float16}
    assert (out / CURVES_NAME).read_bytes().startswith(b"\x89PNG")
    rows = (out / HISTORY_NAME).read_text().splitlines()
    assert rows[0] == "step,loss,cls,loc,lr,score"
    assert [row.split(",")[0] for row in rows[1:]] == ["1", "2", "3", "4"]
    assert rows[1].endswith(",")  # the first step was not scored
    assert cli.run(main, arguments(), argv) == 0  # nothing is left to do


def test_what_half_precision_cannot_hold_keeps_its_own(tmp_path):
    state = {"variance": torch.tensor([1.0, 65536.0]), "weight": torch.tensor([1.0, 65504.0])}
    write_half(state, tmp_path / "out.pth")
    written = torch.load(tmp_path / "out.pth", weights_only=True)
    assert {name: value.dtype for name, value in written.items()} == {
        "variance": torch.float32,
        "weight": torch.float16,
    }
    assert all(torch.equal(written[name].float(), value) for name, value in state.items())


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A teacher with random weights, as a table of the configuration."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("teacher") / "nanotrack_v3.pth"
    torch.save(models.build("nanotrack_v3").state_dict(), path)
    return {"model": "nanotrack_v3", "weights": str(path)}


def test_what_a_teacher_says_is_learned_beside_the_truth_and_alone_without_one(data, tmp_path, teacher):
    for kind in ("videos", "patches"):
        sources = [{"kind": kind, "path": "videos"}, {"kind": "videos", "path": "videos", "weight": 1e-9}]
        changes = {"sources": sources, "teachers": [teacher], "distil_weight": 0.5, "hard_negatives": 4}
        loop = opened(config(**changes), data, tmp_path / kind)
        values = loop.train_step(next(loop.task.batches(0, 1)))
        assert values["distil"] > 0
        assert values["loss"] == pytest.approx(values["cls"] + 1.2 * values["loc"] + 0.5 * values["distil"])
        assert (values["cls"] > 0) == (kind == "videos")  # an untrained teacher is sure of no box


def test_a_teacher_that_would_teach_nothing_of_its_map_is_refused(data, teacher):
    with pytest.raises(UsageError, match=r"distil_weight = 0\.0 is not above 0"):
        open_task(config(teachers=[teacher]), data, CPU)


def test_pieces_without_truth_need_a_teacher(data):
    with pytest.raises(UsageError, match="videos of the kind patches has no truth, and no teacher labels it"):
        open_task(config(sources=[{"kind": "patches", "path": "videos"}]), data, CPU)


_STRIDED = {"model": "siamrpn_lite0", "trunk_layers": ["layer3"]}


def test_depthwise_layers_that_train_in_half_precision_on_a_cpu_are_refused(data):
    task = open_task(config(**_STRIDED), data, CPU)
    with pytest.raises(UsageError, match=r"that train: backbone\.layer3\.0\.conv\.3, 2 in all\n"):
        task.groups()
    task.place = Place(torch.device("cuda"))
    assert len(task.groups()) == 2
    assert len(open_task(config(**_STRIDED, half=False), data, CPU).groups()) == 2


def test_no_depthwise_layer_of_the_trunk_trains_once_they_are_fixed(data):
    task = open_task(config(**_STRIDED, trunk_depthwise=False), data, CPU)
    trained = {id(parameter) for parameter in task.groups()[1].parameters}
    layers = {name: layer for name, layer in task.network.named_modules() if isinstance(layer, torch.nn.Conv2d)}
    assert {name for name, layer in layers.items() if layer.groups > 1 and id(layer.weight) in trained} == set()
    assert layers["backbone.layer3.0.conv.3"].stride == (2, 2)
    assert id(layers["backbone.layer3.0.conv.0"].weight) in trained


@pytest.mark.parametrize("name", ["siamrpn_lite0", "siamrpn_nano", "siamrpn_nano_cell"])
def test_the_configurations_that_ship_train_on_a_cpu(data, name):
    task = Config.load(CONFIGS / f"{name}.toml").task
    assert open_task(config(**{**task, "start": "none"}), data, CPU).groups()


def test_a_run_with_a_teacher_resumes_with_the_same_losses(data, tmp_path, teacher):
    settings = config(teachers=[teacher], distil_weight=0.5, hard_negatives=4, steps=4)
    whole = opened(settings, data, tmp_path / "whole")
    whole.run()
    parted = opened(settings, data, tmp_path / "parted")
    for batch in islice(parted.task.batches(0, 4), 2):
        parted.train_step(batch)
    parted.save()
    resumed = opened(settings, data, tmp_path / "parted")
    resumed.run()
    assert [entry["loss"] for entry in resumed.history] == [entry["loss"] for entry in whole.history]


def test_a_nano_trunk_starts_from_nanotracks_weights_and_keeps_its_depthwise_layers(data, tmp_path, teacher):
    changes = {"model": "siamrpn_nano", "start": teacher["weights"], "trunk_depthwise": False, "batch": 2}
    layers = {"trunk_layers": ["features.9"], "trunk_lr_share": 1.0, "lr": 0.1}
    loop = opened(config(**changes, **layers), data, tmp_path)
    published = torch.load(teacher["weights"], weights_only=True)
    before = {key: value.clone() for key, value in loop.task.network.state_dict().items()}
    for key, value in before.items():
        if key.startswith("backbone."):
            assert torch.equal(value, published[key]), key
    loop.train_step(next(loop.task.batches(0, 1)))
    moved = {key for key, value in loop.task.network.state_dict().items() if not torch.equal(value, before[key])}
    trunk = {key.split(".conv.")[0] for key in moved if key.startswith("backbone.")}
    assert trunk == {"backbone.features.9"}
    assert "backbone.features.9.conv.0.weight" in moved
    assert "backbone.features.9.conv.3.weight" not in moved  # depthwise
