"""The loop by itself: a task of a few numbers, no picture and no tracker."""

from __future__ import annotations

import math
import signal
from itertools import islice

import pytest
import torch
from torch import nn

from siamtrt import ArtifactError, InferenceError, UsageError
from training.config import Config, DataConfig, OptimizerConfig, SourceConfig
from training.loop import BEST_NAME, STATE_NAME, Loop, learning_rate
from training.place import Place, join
from training.tasks.task import Group

DATA = DataConfig(sources=(SourceConfig(kind="videos", path="videos"),))


class Line:
    """Fit a line through points; ``layers.1`` is a norm with statistics."""

    def __init__(self, groups=None, scores=None, during=None):
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        self._groups, self._scores, self._during = groups, scores, during or (lambda step, network: None)
        self.scored = []

    def groups(self):
        return self._groups(self.network) if self._groups else [Group(list(self.network.parameters()))]

    def batches(self, first, last):
        for step in range(first, last):
            points = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
            yield step, points, points.sum(1, keepdim=True)

    def losses(self, batch):
        step, points, wanted = batch
        off = (self.network.train()(points) - wanted).abs().mean()
        self._during(step, self.network)
        return {"loss": off**2, "off": off}

    def score(self, network):
        assert not network.training
        self.scored.append({key: value.clone() for key, value in network.state_dict().items()})
        points = torch.ones(2, 3)
        return next(self._scores) if self._scores else -float((network(points) - 3).abs().mean())


def config(**changes):
    optimizer = {"lr": 5e-3, "warmup_steps": 1, "weight_decay": 0.0}
    for key in ("lr", "warmup_steps", "weight_decay", "clip_norm"):
        if key in changes:
            optimizer[key] = changes.pop(key)
    fields = {"steps": 6, "validate_steps": 3, "checkpoint_minutes": 60.0, "data": DATA}
    return Config(**{**fields, "optimizer": OptimizerConfig(**optimizer), **changes})


def assert_same_state(one, other):
    for part in ("network", "average"):
        assert one[part].keys() == other[part].keys()
        for key, value in one[part].items():
            assert torch.equal(value, other[part][key]), (part, key)
    assert one["history"] == other["history"]
    assert (one["step"], one["best"]) == (other["step"], other["best"])


def state(folder):
    return torch.load(folder / STATE_NAME, weights_only=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run without interruption."""
    out = tmp_path_factory.mktemp("whole")
    Loop(Line(), config(), out).run()
    return out


def test_a_resumed_run_ends_as_an_uninterrupted_one(whole, tmp_path):
    parted = Loop(Line(), config(), tmp_path)
    for batch in islice(parted.task.batches(0, 6), 4):
        parted.train_step(batch)
        parted._score_when_due()
    parted.save()
    resumed = Loop(Line(), config(), tmp_path)
    assert resumed.step == 4
    resumed.run()
    assert_same_state(state(tmp_path), state(whole))


def test_a_finished_run_has_nothing_left_to_do(whole):
    again = Loop(Line(), config(), whole)
    before = state(whole)
    again.run()
    assert again.task.scored == []
    assert_same_state(state(whole), before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", [1, 2])  # the step after 2 is scored
def test_an_interrupted_step_is_finished_before_the_state_is_saved(whole, tmp_path, number, at):
    """The signal comes when the statistics of the norm have moved and the weights have not."""
    task = Line(during=lambda step, _: signal.raise_signal(number) if step == at else None)
    with pytest.raises(KeyboardInterrupt):
        Loop(task, config(), tmp_path).run()
    stopped = state(tmp_path)
    assert stopped["step"] == at + 1
    statistics = Loop(Line(), config(), tmp_path / "other")
    for batch in statistics.task.batches(0, at + 1):
        statistics.train_step(batch)
    for key, value in stopped["network"].items():
        assert torch.equal(value, statistics.task.network.state_dict()[key]), key
    Loop(Line(), config(), tmp_path).run()
    assert_same_state(state(tmp_path), state(whole))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler  # given back


def test_a_loss_that_is_no_number_leaves_the_state_of_the_last_whole_step(tmp_path):
    before = Loop(Line(), config(), tmp_path / "before")
    for batch in before.task.batches(0, 4):
        before.train_step(batch)
    task = Line()
    task.losses = lambda batch: {"loss": Line.losses(task, batch)["loss"] * (math.nan if batch[0] == 4 else 1.0)}
    with pytest.raises(InferenceError, match="loss of step 4 is nan") as refusal:
        Loop(task, config(), tmp_path / "nan").run()
    assert "lower lr" in str(refusal.value)
    for key, value in state(tmp_path / "nan")["network"].items():
        assert torch.equal(value, before.task.network.state_dict()[key]), key


def test_a_gradient_that_is_no_number_leaves_the_state_of_the_last_whole_step(tmp_path):
    """The root's slope at zero is infinite though its value is not."""
    task = Line()

    def losses(batch):
        loss = Line.losses(task, batch)["loss"]
        return {"loss": loss + (loss * 0).sqrt() if batch[0] == 2 else loss}

    task.losses = losses
    with pytest.raises(InferenceError, match="gradient of step 2 is nan"):
        Loop(task, config(), tmp_path).run()
    saved = state(tmp_path)
    assert saved["step"] == 2
    assert all(value.isfinite().all() for value in (*saved["network"].values(), *saved["average"].values()))


def test_the_rate_warms_up_and_falls_as_a_cosine():
    settings = config(steps=110, warmup_steps=10, lr=1.0)
    rates = [learning_rate(settings, step) for step in (0, 9, 10, 35, 60, 85, 110)]
    quarter = math.sqrt(0.5) / 2  # a straight line has 0.75 and 0.25 here
    assert rates == pytest.approx([0.1, 1.0, 1.0, 0.5 + quarter, 0.5, 0.5 - quarter, 0.0])


def weights(network):
    return [parameter.detach().clone() for parameter in network.parameters()]


def moved(before, network):
    """The largest change of each parameter."""
    return [float((old - new).abs().max()) for old, new in zip(before, weights(network))]


def test_each_group_has_its_share_of_the_rate_and_what_is_in_none_is_frozen(tmp_path):
    def groups(network):
        return [Group([network[0].weight]), Group([network[2].weight], lr_share=0.1)]

    loop = Loop(Line(groups), config(lr=1e-2), tmp_path)
    before = weights(loop.task.network)
    loop.train_step(next(loop.task.batches(0, 1)))
    first, first_bias, norm, norm_bias, second, second_bias = moved(before, loop.task.network)
    assert first == pytest.approx(1e-2, rel=1e-3)  # AdamW's first step is the rate, whatever the gradient
    assert second == pytest.approx(1e-3, rel=1e-3)
    assert first_bias == norm == norm_bias == second_bias == 0
    assert loop.task.network[0].bias.grad is None  # it would count when gradients are clipped


def test_a_group_is_frozen_before_its_step(tmp_path):
    def groups(network):
        return [Group([network[0].weight]), Group([network[2].weight], from_step=2)]

    loop = Loop(Line(groups), config(), tmp_path)
    before = weights(loop.task.network)
    for step, batch in enumerate(loop.task.batches(0, 3)):
        loop.train_step(batch)
        assert (moved(before, loop.task.network)[4] > 0) == (step >= 2)


def test_an_unscheduled_group_keeps_its_rate_and_a_group_its_own_options(tmp_path):
    def groups(network):
        alone = Group([network[2].weight], lr_share=0.5, scheduled=False, options={"weight_decay": 0.25})
        return [Group([network[0].weight]), alone]

    loop = Loop(Line(groups), config(steps=100, warmup_steps=50, lr=1e-2, weight_decay=0.125), tmp_path)
    loop.train_step(next(loop.task.batches(0, 1)))
    assert [group["lr"] for group in loop._optimizer.param_groups] == pytest.approx([1e-2 / 50, 5e-3])
    assert [group["weight_decay"] for group in loop._optimizer.param_groups] == [0.125, 0.25]


def test_steps_may_take_turns_between_groups(tmp_path):
    """What a loss does not depend on keeps its value though its moments are not zero."""
    task = Line(lambda network: [Group([network[0].weight]), Group([network[2].weight])])

    def losses(batch):
        step, points, wanted = batch
        first, norm, second = task.network
        hidden, weight = norm(first(points)), second.weight
        hidden, weight = (hidden.detach(), weight) if step % 2 else (hidden, weight.detach())
        return {"loss": (hidden @ weight.T - wanted).abs().mean()}

    task.losses = losses
    loop = Loop(task, config(), tmp_path)
    for step, batch in enumerate(task.batches(0, 6)):
        before = weights(task.network)
        loop.train_step(batch)
        changes = moved(before, task.network)
        assert (changes[0] > 0, changes[4] > 0) == (step % 2 == 0, step % 2 == 1)


def test_the_average_follows_the_weights_up_to_its_cap(tmp_path):
    loop = Loop(Line(), config(ema=0.2, steps=8), tmp_path)
    expected = loop.task.network[0].weight.detach().clone()
    for step, batch in enumerate(loop.task.batches(0, 5)):
        loop.train_step(batch)
        decay = (0.1, 2 / 11, 0.2, 0.2, 0.2)[step]
        expected = decay * expected + (1 - decay) * loop.task.network[0].weight.detach()
    torch.testing.assert_close(loop._average["0.weight"], expected)


def test_the_averaged_weights_are_scored_and_the_best_are_kept(tmp_path):
    loop = Loop(Line(scores=iter([-2.0, -3.0, -1.0])), config(steps=9), tmp_path)
    kept = []
    original = loop._score_when_due

    def watched():
        original()
        kept.append((tmp_path / BEST_NAME).read_bytes() if (tmp_path / BEST_NAME).is_file() else b"")

    loop._score_when_due = watched
    loop.run()
    _, _, _, first, _, _, second, _, _, third = kept  # before the first step, then after each
    assert first == second != third
    for key, value in torch.load(tmp_path / BEST_NAME, weights_only=True).items():
        torch.testing.assert_close(loop.task.scored[2][key].float(), value)
    assert [entry["score"] for entry in loop.history if "score" in entry] == [-2.0, -3.0, -1.0]
    assert not torch.equal(loop.task.scored[2]["0.weight"], loop.task.network[0].weight)


def test_gradients_are_clipped(tmp_path):
    task = Line()
    task.losses = lambda batch: {"loss": 1e6 * Line.losses(task, batch)["loss"]}
    loop = Loop(task, config(clip_norm=3.0), tmp_path)
    loop.train_step(next(task.batches(0, 1)))
    norm = torch.cat([parameter.grad.flatten() for parameter in task.network.parameters()]).norm()
    assert float(norm) == pytest.approx(3.0, rel=1e-3)


def test_the_report_is_called_at_each_checkpoint(tmp_path):
    lengths = []
    loop = Loop(Line(), config(checkpoint_minutes=0.0), tmp_path, report=lambda history: lengths.append(len(history)))
    loop.run()
    assert lengths == [0, 1, 2, 3, 4, 5, 6, 6]


def test_a_full_disk_keeps_the_last_good_state(tmp_path, monkeypatch):
    loop = Loop(Line(), config(), tmp_path)
    loop.save()
    good = (tmp_path / STATE_NAME).read_bytes()

    def full(*_):
        raise RuntimeError("[enforce fail at inline_container.cc] . PytorchStreamWriter failed writing file")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(ArtifactError, match="the last state is kept"):
        loop.save()
    assert (tmp_path / STATE_NAME).read_bytes() == good


def test_a_folder_that_cannot_be_written_is_found_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    loop = Loop(Line(), config(), tmp_path / "file" / "out")
    with pytest.raises(ArtifactError, match="cannot write"):
        loop.run()
    assert loop.step == 0


def test_a_damaged_state_and_one_of_another_configuration_are_refused(tmp_path):
    Loop(Line(), config(), tmp_path).save()
    with pytest.raises(ArtifactError, match="another configuration"):
        Loop(Line(), config(lr=1.0), tmp_path)
    Loop(Line(), config(checkpoint_minutes=1.0), tmp_path)  # changes no weight
    with pytest.raises(ArtifactError, match="belongs to another number of processes"):
        Loop(Line(), config(), tmp_path, Place(torch.device("cpu"), 0, 2))
    (tmp_path / STATE_NAME).write_bytes(b"not a state")
    with pytest.raises(ArtifactError, match="not a whole state"):
        Loop(Line(), config(), tmp_path)


@pytest.mark.parametrize(
    "table", [lambda path: {"teachers": [{"model": "a", "weights": path}]}, lambda path: {"teacher": path}]
)
def test_a_run_does_not_go_on_with_a_teacher_that_was_replaced(tmp_path, table):
    (tmp_path / "teacher.pth").write_bytes(b"one")
    settings = config(task=table(str(tmp_path / "teacher.pth")))
    Loop(Line(), settings, tmp_path / "out").save()
    Loop(Line(), settings, tmp_path / "out")
    (tmp_path / "teacher.pth").write_bytes(b"another")
    with pytest.raises(ArtifactError, match="belongs to another teacher"):
        Loop(Line(), settings, tmp_path / "out")


def test_a_state_that_does_not_say_how_it_was_trained_is_refused(tmp_path):
    Loop(Line(), config(), tmp_path).save()
    torch.save({**state(tmp_path), "claim": config().claim()}, tmp_path / STATE_NAME)
    with pytest.raises(ArtifactError, match="of an earlier version"):
        Loop(Line(), config(), tmp_path)


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    with pytest.raises(UsageError, match="unknown device 'tpu'"), join("tpu"):
        pass
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="finds no CUDA GPU"), join("cuda"):
        pass


@pytest.mark.gpu
def test_a_run_on_a_gpu_resumes_on_the_cpu(tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA GPU here")
    with join("cuda") as place:
        task = Line()
        task.network.to(place.device)
        task.batches = lambda first, last: (
            (step, points.to(place.device), wanted.to(place.device))
            for step, points, wanted in Line.batches(task, first, last)
        )
        task.score = lambda network: 0.0
        Loop(task, config(steps=3, device="cuda"), tmp_path, place).run()
    assert Loop(Line(), config(steps=3), tmp_path).step == 3
